#pragma once

#include <openssl/evp.h>

#include <array>
#include <memory>
#include <span>

#include "address.h"

namespace moat {

/** HMAC-SHA-256 (RFC 2104) with one key, whose schedule is made once. */
class Hmac {
 public:
  static constexpr size_t kLength = 32;

  /** Null when libcrypto refuses. */
  static std::unique_ptr<Hmac> Create(std::span<const uint8_t> key);
  ~Hmac();
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;

  bool Of(std::span<const std::span<const uint8_t>> parts, std::span<uint8_t, kLength> mac) noexcept;

 private:
  Hmac() = default;
  EVP_MAC_CTX* context_ = nullptr;
};

/** The secrets of `appliance/ike/cookie.ts`: the version that the newer one has, and the one before it if there is one. */
struct CookieSecrets {
  uint8_t version = 0;
  std::unique_ptr<Hmac> current;
  std::unique_ptr<Hmac> previous;
};

/**
 * Who of those that want an IKE SA costs the control plane anything.
 *
 * Theory of operation: half of what a flood of IKE_SA_INITs costs is to carry each into JavaScript, to be answered with a cookie. When the
 * control plane has more half-open SAs than it likes, it hands its secrets over and for a while the cookies (RFC 7296 2.6) are made and
 * verified here. It looks at them once more itself: nothing depends on this gate but the time of the processor.
 */
class IkeGate {
 public:
  enum class Verdict : uint8_t {
    /** It names an SA, or its sender has shown that it receives at its address. */
    kKnown,
    /** It begins something, and anybody can have sent it. */
    kStranger,
    /** `Answer()` goes back. */
    kChallenged,
    kMalformed,
  };

  void Demand(CookieSecrets secrets, uint64_t untilMs) noexcept;

  /** @param message as long as an IKE header at least. @param nowMs of the monotonic clock. */
  Verdict Judge(std::span<const uint8_t> message, const Endpoint& from, uint64_t nowMs) noexcept;

  /** The last challenge. */
  std::span<const uint8_t> Answer() const noexcept { return answer_; }

 private:
  static constexpr size_t kHeader = 28, kNotify = 8, kCookie = 1 + Hmac::kLength;
  struct Claim;
  bool Challenge(std::span<const uint8_t> message, const Claim& claim) noexcept;
  bool Make(Hmac& secret, uint8_t version, const Claim& claim, std::span<uint8_t, kCookie> cookie) noexcept;
  bool IsRight(std::span<const uint8_t> presented, const Claim& claim) noexcept;

  CookieSecrets secrets_;
  uint64_t untilMs_ = 0;
  std::array<uint8_t, kHeader + kNotify + kCookie> answer_{};
};

}  // namespace moat
