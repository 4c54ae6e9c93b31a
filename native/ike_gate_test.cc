#include "ike_gate.h"

#include "testing/test.h"

using namespace moat;
using moat::testing::Hex;
using moat::testing::ToHex;

namespace {

constexpr uint64_t kUntil = 1000;
const std::string kSpi = "0102030405060708";

Endpoint From(const char* text, uint16_t port) {
  Endpoint endpoint{{}, port};
  EXPECT(ParseAddress(text, endpoint.address));
  return endpoint;
}

const Endpoint kHome = From("192.0.2.9", 500);

CookieSecrets Secrets(uint8_t version, uint8_t current, uint8_t previous) {
  const std::vector<uint8_t> newer(32, current), older(32, previous);
  return {version, Hmac::Create(newer), Hmac::Create(older)};
}

/** @param payloads each with the type of the next, as on the wire. */
std::vector<uint8_t> Message(uint8_t exchange, uint8_t flags, uint8_t first, const std::string& payloads, const std::string& spiResponder = "0000000000000000") {
  std::vector<uint8_t> message = Hex(kSpi + spiResponder + "00 20 00 00 00000000 00000000" + payloads);
  message[16] = first;
  message[18] = exchange;
  message[19] = flags;
  StoreBe32(&message[24], static_cast<uint32_t>(message.size()));
  return message;
}

/** A nonce of 16 octets, and nothing else. */
std::vector<uint8_t> Init() { return Message(34, 0x08, 40, "00000014" + std::string(32, 'a')); }

std::vector<uint8_t> InitWith(const std::string& cookie) {
  return Message(34, 0x08, 41, "28000029 00004006" + cookie + "00000014" + std::string(32, 'a'));
}

std::string CookieFrom(IkeGate& gate, const Endpoint& from) {
  EXPECT(gate.Judge(Init(), from, 0) == IkeGate::Verdict::kChallenged);
  return ToHex(gate.Answer().subspan(36));
}

}  // namespace

TEST(HmacOfRfc4231) {
  const auto hmac = Hmac::Create(Hex("4a656665"));
  const std::vector<uint8_t> first = Hex("7768617420646f2079612077616e7420"), second = Hex("666f72206e6f7468696e673f");
  const std::array<std::span<const uint8_t>, 2> parts{first, second};
  for (int i = 0; i < 2; i += 1) {
    std::array<uint8_t, Hmac::kLength> mac;
    EXPECT(hmac->Of(parts, mac));
    EXPECT_EQ(ToHex(mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  }
}

TEST(IkeGateChallengesStrangersWhileItIsToldTo) {
  IkeGate gate;
  EXPECT(gate.Judge(Init(), kHome, 0) == IkeGate::Verdict::kStranger);
  gate.Demand(Secrets(7, 1, 2), kUntil);
  EXPECT(gate.Judge(Init(), kHome, kUntil - 1) == IkeGate::Verdict::kChallenged);
  // SPIi | none | N, version 2, IKE_SA_INIT, response | id 0 | 69 octets || last, 41 octets, no SPI, COOKIE | version 7
  EXPECT_EQ(ToHex(gate.Answer()).substr(0, 74), kSpi + "0000000000000000" "29202220" "00000000" "00000045" "00000029" "00004006" "07");
  EXPECT(gate.Judge(Init(), kHome, kUntil) == IkeGate::Verdict::kStranger);
}

/** The same octets stand in `appliance/ike/cookie.test.ts`: the control plane verifies what is made here. */
TEST(IkeGateMakesTheCookiesOfTheControlPlane) {
  IkeGate gate;
  gate.Demand(Secrets(1, 1, 2), kUntil);
  EXPECT_EQ(CookieFrom(gate, kHome), "0125b069ad1efeef215e67878b3cbd8489d3b63831ccbfa9d0fafea5788ebf15e2");
  EXPECT_EQ(CookieFrom(gate, From("2001:db8::9", 4500)), "0197d4570ec9729af1ea4869561f0c0a17dc94f1a0d2e85dcb1f34621243847730");
}

TEST(IkeGateLetsThroughWhoReceivesAtItsAddress) {
  IkeGate gate;
  gate.Demand(Secrets(7, 1, 2), kUntil);
  const std::string cookie = CookieFrom(gate, kHome);
  EXPECT(gate.Judge(InitWith(cookie), kHome, 1) == IkeGate::Verdict::kKnown);
  EXPECT(gate.Judge(InitWith(cookie), From("192.0.2.9", 501), 1) == IkeGate::Verdict::kChallenged);
  EXPECT(gate.Judge(InitWith(cookie), From("2001:db8::9", 500), 1) == IkeGate::Verdict::kChallenged);
  EXPECT(gate.Judge(InitWith(CookieFrom(gate, From("192.0.2.8", 500))), kHome, 1) == IkeGate::Verdict::kChallenged);
  // The next secret knows the one before it, and no older one.
  gate.Demand(Secrets(8, 3, 1), kUntil);
  EXPECT(gate.Judge(InitWith(cookie), kHome, 1) == IkeGate::Verdict::kKnown);
  gate.Demand(Secrets(9, 4, 3), kUntil);
  EXPECT(gate.Judge(InitWith(cookie), kHome, 1) == IkeGate::Verdict::kChallenged);
}

TEST(IkeGateLetsThroughWhatBeginsNothing) {
  IkeGate gate;
  gate.Demand(Secrets(7, 1, 2), kUntil);
  const std::string nonce = "00000014" + std::string(32, 'a');
  EXPECT(gate.Judge(Message(34, 0x20, 40, nonce), kHome, 1) == IkeGate::Verdict::kKnown);                      // an answer
  EXPECT(gate.Judge(Message(35, 0x08, 40, nonce, kSpi), kHome, 1) == IkeGate::Verdict::kKnown);                // IKE_AUTH
  EXPECT(gate.Judge(Message(34, 0x08, 40, nonce, kSpi), kHome, 1) == IkeGate::Verdict::kStranger);             // stray
  EXPECT(gate.Judge(Message(38, 0x08, 40, nonce), kHome, 1) == IkeGate::Verdict::kChallenged);                 // IKE_SESSION_RESUME
}

TEST(IkeGateAnswersNothingToWhatIsBroken) {
  IkeGate gate;
  gate.Demand(Secrets(7, 1, 2), kUntil);
  std::vector<uint8_t> shorter = Init();
  shorter.pop_back();
  EXPECT(gate.Judge(shorter, kHome, 1) == IkeGate::Verdict::kMalformed);
  EXPECT(gate.Judge(Message(34, 0x08, 0, ""), kHome, 1) == IkeGate::Verdict::kMalformed);
  EXPECT(gate.Judge(Message(34, 0x08, 40, "00000003" + std::string(32, 'a')), kHome, 1) == IkeGate::Verdict::kMalformed);
  EXPECT(gate.Judge(Message(34, 0x08, 40, "00000015" + std::string(32, 'a')), kHome, 1) == IkeGate::Verdict::kMalformed);
  EXPECT(gate.Judge(Message(34, 0x08, 40, "00000013" + std::string(30, 'a')), kHome, 1) == IkeGate::Verdict::kMalformed);
}
