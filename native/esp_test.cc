#include "esp.h"

#include "testing/test.h"

using namespace moat;
using moat::testing::Hex;
using moat::testing::ToHex;

namespace {

constexpr Cipher kCiphers[] = {Cipher::kAes128Gcm16, Cipher::kAes256Gcm16, Cipher::kChaCha20Poly1305};

struct Pair {
  esp::Sealer sealer;
  esp::Opener opener;
};

Pair MakePair(Cipher cipher, bool esn, size_t window = 64) {
  const std::vector<uint8_t> key(KeyMaterialLength(cipher), 0x5a);
  Pair pair{{0x1234, esn, Aead::Create(cipher, Aead::Direction::kSeal, key)}, esp::Opener(0x1234, esn, window)};
  pair.opener.aead = Aead::Create(cipher, Aead::Direction::kOpen, key);
  return pair;
}

std::vector<uint8_t> SealOne(esp::Sealer& sealer, const std::vector<uint8_t>& payload, uint8_t nextHeader) {
  std::vector<uint8_t> buffer(esp::kHeadroom + payload.size() + esp::kMaxTrailer, 0xee);
  std::copy(payload.begin(), payload.end(), buffer.begin() + esp::kHeadroom);
  EXPECT_EQ(esp::Seal(sealer, {buffer.data() + esp::kHeadroom, payload.size()}, nextHeader), Drop::kNone);
  buffer.resize(esp::SealedLength(payload.size()));
  return buffer;
}

}  // namespace

TEST(EspOpensThePacketOfRfc7634AppendixA) {
  std::vector<uint8_t> packet = Hex(
      "01020304 00000005 1011121314151617"
      "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f7"
      "2aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0"
      "76aaa8266b7fb0f7b11b369907e1ad43");
  const std::vector<uint8_t> key = Hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3");
  esp::Opener opener(0x01020304, false, 64);
  opener.aead = Aead::Create(Cipher::kChaCha20Poly1305, Aead::Direction::kOpen, key);
  esp::Opened opened;
  EXPECT_EQ(esp::Open(opener, packet, opened), Drop::kNone);
  EXPECT_EQ(opened.nextHeader, uint8_t{4});
  EXPECT_EQ(opened.sequence, uint64_t{5});
  EXPECT_EQ(ToHex(opened.payload),
            "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f101112131415161718191a1b1c1d"
            "1e1f202122232425262728292a2b2c2d2e2f3031323334353637");
}

TEST(EspOpensAnExtendedSequenceNumberPacketOfDraftMcgrewGcmTest) {
  std::vector<uint8_t> packet = Hex(
      "00004321 00000000 4956ed7e3b244cfe"
      "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786"
      "b93bce61bc17d768fd9732459018148f6cbe722fd04796562dfdb4");
  esp::Opener opener(0x4321, true, 64);
  opener.aead = Aead::Create(Cipher::kAes128Gcm16, Aead::Direction::kOpen, Hex("4c80cdefbb5d10da906ac73c3613a6342e443b68"));
  opener.window.Accept(0x87654320ffffffff);
  esp::Opened opened;
  EXPECT_EQ(esp::Open(opener, packet, opened), Drop::kNone);
  EXPECT_EQ(opened.sequence, uint64_t{0x8765432100000000});
  EXPECT_EQ(ToHex(opened.payload),
            "45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f756470037369700963796265726369747902"
            "646b0000210001");
}

TEST(EspLayoutOnTheWire) {
  Pair pair = MakePair(Cipher::kAes256Gcm16, false);
  pair.sealer.sequence = 0x0a0b0c0c;
  const std::vector<uint8_t> packet = SealOne(pair.sealer, {0x45, 1, 2, 3, 4}, 4);
  // 5 octets of payload, 1 of padding, pad length, next header; then the ICV.
  EXPECT_EQ(packet.size(), size_t{8 + 8 + 8 + 16});
  EXPECT_EQ(ToHex(std::span(packet).first(16)), "000012340a0b0c0d000000000a0b0c0d");
  std::vector<uint8_t> plain(packet.begin() + 16, packet.begin() + 24);
  const auto aead = Aead::Create(Cipher::kAes256Gcm16, Aead::Direction::kOpen, std::vector<uint8_t>(36, 0x5a));
  EXPECT(aead->Open(packet.data() + 8, std::span(packet).first(8), plain, packet.data() + 24));
  EXPECT_EQ(ToHex(plain), "4501020304010104");
}

TEST(EspCarriesEveryLength) {
  for (const Cipher cipher : kCiphers) {
    for (const bool esn : {false, true}) {
      Pair pair = MakePair(cipher, esn);
      for (size_t length = 0; length < 70; length += 1) {
        std::vector<uint8_t> payload(length);
        for (size_t i = 0; i < length; i += 1) payload[i] = static_cast<uint8_t>(i * 7 + length);
        std::vector<uint8_t> packet = SealOne(pair.sealer, payload, 41);
        EXPECT_EQ(packet.size() % 4, size_t{0});
        EXPECT(esp::PayloadThatFits(packet.size()) >= length && (length == 0 || esp::PayloadThatFits(packet.size() - 1) < length));
        esp::Opened opened;
        EXPECT_EQ(esp::Open(pair.opener, packet, opened), Drop::kNone);
        EXPECT_EQ(ToHex(opened.payload), ToHex(payload));
        EXPECT(opened.newest && opened.nextHeader == 41);
      }
    }
  }
}

TEST(EspRefusesEveryChangedOctetAndStaysUnchanged) {
  Pair pair = MakePair(Cipher::kAes128Gcm16, true);
  const std::vector<uint8_t> packet = SealOne(pair.sealer, Hex("4500001400"), 4);
  for (size_t i = 4; i < packet.size(); i += 1) {
    std::vector<uint8_t> changed = packet;
    changed[i] ^= 0x10;
    esp::Opened opened;
    EXPECT_EQ(esp::Open(pair.opener, changed, opened), Drop::kAuthFailed);
  }
  EXPECT_EQ(pair.opener.window.Highest(), uint64_t{0});
  for (size_t length = 0; length < packet.size(); length += 1) {
    std::vector<uint8_t> shorter(packet.begin(), packet.begin() + static_cast<ptrdiff_t>(length));
    esp::Opened opened;
    EXPECT(esp::Open(pair.opener, shorter, opened) != Drop::kNone);
  }
}

TEST(EspDropsTheSecondCopy) {
  Pair pair = MakePair(Cipher::kChaCha20Poly1305, false);
  const std::vector<uint8_t> packet = SealOne(pair.sealer, {1, 2, 3}, 4);
  std::vector<uint8_t> first = packet, second = packet;
  esp::Opened opened;
  EXPECT_EQ(esp::Open(pair.opener, first, opened), Drop::kNone);
  EXPECT_EQ(esp::Open(pair.opener, second, opened), Drop::kReplayed);
}

TEST(EspPassesTheRollOverOnlyWithExtendedSequenceNumbers) {
  Pair extended = MakePair(Cipher::kAes256Gcm16, true);
  extended.sealer.sequence = 0xfffffffd;
  extended.opener.window.Accept(0xfffffffd);
  for (uint64_t sequence = 0xfffffffe; sequence <= 0x100000003; sequence += 1) {
    std::vector<uint8_t> packet = SealOne(extended.sealer, {9}, 4);
    esp::Opened opened;
    EXPECT_EQ(esp::Open(extended.opener, packet, opened), Drop::kNone);
    EXPECT_EQ(opened.sequence, sequence);
  }
  Pair plain = MakePair(Cipher::kAes256Gcm16, false);
  plain.sealer.sequence = 0xfffffffe;
  SealOne(plain.sealer, {9}, 4);
  std::vector<uint8_t> buffer(esp::kHeadroom + 1 + esp::kMaxTrailer);
  EXPECT_EQ(esp::Seal(plain.sealer, {buffer.data() + esp::kHeadroom, 1}, 4), Drop::kSequenceExhausted);
}

TEST(EspChecksPadding) {
  for (const char* plain : {"45000001 01020204", "45000001 02020204", "45000001 03020104", "45000001 0102ff04"}) {
    std::vector<uint8_t> body = Hex(plain);
    std::vector<uint8_t> packet(16 + body.size() + 16);
    StoreBe32(packet.data(), 0x1234);
    StoreBe32(packet.data() + 4, 1);
    std::copy(body.begin(), body.end(), packet.begin() + 16);
    Pair pair = MakePair(Cipher::kAes128Gcm16, false);
    const std::span<uint8_t> inPlace = std::span(packet).subspan(16, body.size());
    EXPECT(pair.sealer.aead->Seal(packet.data() + 8, std::span(packet).first(8), inPlace, packet.data() + 16 + body.size()));
    esp::Opened opened;
    const bool good = std::string(plain) == "45000001 01020204";
    EXPECT_EQ(esp::Open(pair.opener, packet, opened), good ? Drop::kNone : Drop::kMalformed);
  }
}

TEST(AeadRefusesAKeyOfTheWrongLength) {
  EXPECT(Aead::Create(Cipher::kAes128Gcm16, Aead::Direction::kSeal, std::vector<uint8_t>(36)) == nullptr);
  EXPECT(Aead::Create(Cipher::kAes256Gcm16, Aead::Direction::kSeal, std::vector<uint8_t>(20)) == nullptr);
}
