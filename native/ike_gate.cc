#include "ike_gate.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <cstring>

namespace moat {
namespace {

/*
 * RFC 7296 3.1: SPIi (8) | SPIr (8) | next payload | version | exchange | flags | message id (4) | length (4), and 3.2: next payload |
 * critical | length (2).
 */
constexpr size_t kSpiLength = 8, kNextPayloadAt = 16, kVersionAt = 17, kExchangeAt = 18, kFlagsAt = 19, kMessageIdAt = 20, kLengthAt = 24;
constexpr size_t kPayloadHeader = 4, kNotifyHeader = 4;
constexpr uint8_t kIkeSaInit = 34, kIkeSessionResume = 38;
constexpr uint8_t kResponse = 0x20, kVersion2 = 0x20;
constexpr uint8_t kNonce = 40, kNotifyPayload = 41;
constexpr uint16_t kCookieNotify = 16390;
/** RFC 7296 3.9. */
constexpr size_t kShortestNonce = 16, kLongestNonce = 256;

struct Found {
  std::span<const uint8_t> nonce;
  std::span<const uint8_t> cookie;
};

/** Goes over the chain without decoding it; nothing is found in one that is broken. */
Found Peek(std::span<const uint8_t> message, size_t headerLength) noexcept {
  Found found;
  uint8_t type = message[kNextPayloadAt];
  std::span<const uint8_t> left = message.subspan(headerLength);
  while (type != 0) {
    if (left.size() < kPayloadHeader) return {};
    const size_t length = LoadBe16(left.data() + 2);
    if (length < kPayloadHeader || length > left.size()) return {};
    const std::span<const uint8_t> body = left.subspan(kPayloadHeader, length - kPayloadHeader);
    if (type == kNonce) found.nonce = body;
    const bool cookie = type == kNotifyPayload && body.size() >= kNotifyHeader && body[1] == 0 && LoadBe16(body.data() + 2) == kCookieNotify;
    if (cookie) found.cookie = body.subspan(kNotifyHeader);
    type = left[0];
    left = left.subspan(length);
  }
  return found;
}

/** The octets of an address: 4 or 16. */
size_t StoreAddress(const Address& address, std::span<uint8_t, 16> to) noexcept {
  if (address.family == 4) {
    StoreBe32(to.data(), static_cast<uint32_t>(address.value));
    return 4;
  }
  StoreAddress6(to.data(), address);
  return 16;
}

}  // namespace

std::unique_ptr<Hmac> Hmac::Create(std::span<const uint8_t> key) {
  std::unique_ptr<Hmac> hmac(new Hmac());
  EVP_MAC* algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  if (algorithm == nullptr) return nullptr;
  hmac->context_ = EVP_MAC_CTX_new(algorithm);
  EVP_MAC_free(algorithm);
  char digest[] = "SHA256";
  const OSSL_PARAM settings[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  const bool made = hmac->context_ != nullptr && EVP_MAC_init(hmac->context_, key.data(), key.size(), settings) == 1;
  return made ? std::move(hmac) : nullptr;
}

Hmac::~Hmac() { EVP_MAC_CTX_free(context_); }

bool Hmac::Of(std::span<const std::span<const uint8_t>> parts, std::span<uint8_t, kLength> mac) noexcept {
  if (EVP_MAC_init(context_, nullptr, 0, nullptr) != 1) return false;
  for (const std::span<const uint8_t> part : parts) {
    if (EVP_MAC_update(context_, part.data(), part.size()) != 1) return false;
  }
  size_t length = 0;
  return EVP_MAC_final(context_, mac.data(), &length, mac.size()) == 1 && length == mac.size();
}

struct IkeGate::Claim {
  std::span<const uint8_t> nonce;
  Endpoint from;
  std::span<const uint8_t> spiInitiator;
};

void IkeGate::Demand(CookieSecrets secrets, uint64_t untilMs) noexcept {
  secrets_ = std::move(secrets);
  untilMs_ = untilMs;
}

IkeGate::Verdict IkeGate::Judge(std::span<const uint8_t> message, const Endpoint& from, uint64_t nowMs) noexcept {
  const uint8_t exchange = message[kExchangeAt];
  const bool begins = (exchange == kIkeSaInit || exchange == kIkeSessionResume) && (message[kFlagsAt] & kResponse) == 0;
  if (!begins) return Verdict::kKnown;
  // Repeated after an answer that was lost, or of another version: not what floods are made of, and the control plane's matter.
  if (nowMs >= untilMs_ || !secrets_.current || message[kVersionAt] >> 4 != 2 || LoadBe64(&message[kSpiLength]) != 0) return Verdict::kStranger;
  const Found found = LoadBe32(&message[kLengthAt]) == message.size() ? Peek(message, kHeader) : Found{};
  if (found.nonce.size() < kShortestNonce || found.nonce.size() > kLongestNonce) return Verdict::kMalformed;
  const Claim claim{found.nonce, from, message.first(kSpiLength)};
  if (IsRight(found.cookie, claim)) return Verdict::kKnown;
  return Challenge(message, claim) ? Verdict::kChallenged : Verdict::kStranger;
}

bool IkeGate::Challenge(std::span<const uint8_t> message, const Claim& claim) noexcept {
  std::memcpy(answer_.data(), message.data(), kSpiLength);
  answer_[kNextPayloadAt] = kNotifyPayload;
  answer_[kVersionAt] = kVersion2;
  answer_[kExchangeAt] = message[kExchangeAt];
  answer_[kFlagsAt] = kResponse;
  std::memcpy(&answer_[kMessageIdAt], &message[kMessageIdAt], 4);
  StoreBe32(&answer_[kLengthAt], answer_.size());
  StoreBe16(&answer_[kHeader + 2], kNotify + kCookie);
  StoreBe16(&answer_[kHeader + 6], kCookieNotify);
  const auto cookie = std::span(answer_).last<kCookie>();
  return Make(*secrets_.current, secrets_.version, claim, cookie);
}

/** As `cookie` of `appliance/ike/cookie.ts`: version | MAC(secret; Ni | IPi | port | SPIi). */
bool IkeGate::Make(Hmac& secret, uint8_t version, const Claim& claim, std::span<uint8_t, kCookie> cookie) noexcept {
  std::array<uint8_t, 16> address;
  const size_t addressLength = StoreAddress(claim.from.address, address);
  std::array<uint8_t, 2> port;
  StoreBe16(port.data(), claim.from.port);
  const std::array<std::span<const uint8_t>, 4> parts{claim.nonce, std::span(address).first(addressLength), port, claim.spiInitiator};
  cookie[0] = version;
  return secret.Of(parts, cookie.subspan<1, Hmac::kLength>());
}

bool IkeGate::IsRight(std::span<const uint8_t> presented, const Claim& claim) noexcept {
  if (presented.size() != kCookie) return false;
  const uint8_t age = static_cast<uint8_t>(secrets_.version - presented[0]);
  Hmac* secret = age == 0 ? secrets_.current.get() : age == 1 ? secrets_.previous.get() : nullptr;
  std::array<uint8_t, kCookie> expected;
  return secret != nullptr && Make(*secret, presented[0], claim, expected) &&
         CRYPTO_memcmp(expected.data(), presented.data(), expected.size()) == 0;
}

}  // namespace moat
