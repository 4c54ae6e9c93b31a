#include "ecn.h"

#include "ip.h"
#include "testing/test.h"

using namespace moat;
using moat::testing::Hex;

namespace {

uint16_t HeaderSum(const std::vector<uint8_t>& packet) {
  uint32_t sum = 0;
  for (size_t i = 0; i < 20; i += 2) sum += LoadBe16(&packet[i]);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

}  // namespace

TEST(EcnFollowsFigure4OfRfc6040) {
  using namespace ecn;
  struct Row {
    uint8_t inner, outer, result;
  };
  constexpr Row kRows[] = {
      {kNotEct, kNotEct, kNotEct}, {kNotEct, kEct0, kNotEct}, {kNotEct, kEct1, kNotEct}, {kNotEct, kCongestionExperienced, kDrop},
      {kEct0, kNotEct, kEct0},     {kEct0, kEct0, kEct0},     {kEct0, kEct1, kEct1},     {kEct0, kCongestionExperienced, kCongestionExperienced},
      {kEct1, kNotEct, kEct1},     {kEct1, kEct0, kEct1},     {kEct1, kEct1, kEct1},     {kEct1, kCongestionExperienced, kCongestionExperienced},
  };
  for (const Row& row : kRows) EXPECT_EQ(kDecapsulated[row.inner][row.outer], row.result);
  for (uint8_t outer = 0; outer < 4; outer += 1) EXPECT_EQ(kDecapsulated[kCongestionExperienced][outer], kCongestionExperienced);
}

TEST(EcnKeepsTheIpv4ChecksumRight) {
  for (const char* identification : {"0000", "b861", "4747", "ffff"}) {
    for (uint8_t outer = 0; outer < 4; outer += 1) {
      std::vector<uint8_t> packet = Hex(std::string("45b90054") + identification + "40004001 0000 0a000001 0a000002");
      StoreBe16(&packet[10], static_cast<uint16_t>(~HeaderSum(packet)));
      EXPECT_EQ(ecn::Decapsulate(packet, packet[1] & 3, outer), Drop::kNone);
      EXPECT_EQ(HeaderSum(packet), uint16_t{0xffff});
      EXPECT_EQ(packet[1] & 0xfc, 0xb8);
    }
  }
}

TEST(EcnWritesTheIpv6TrafficClass) {
  std::vector<uint8_t> packet = Hex("6b212345 0000 3b 40");
  EXPECT_EQ(ecn::Decapsulate(packet, ecn::kEct0, ecn::kCongestionExperienced), Drop::kNone);
  EXPECT_EQ(moat::testing::ToHex(packet), "6b31234500003b40");
  EXPECT_EQ(ecn::Decapsulate(packet, ecn::kNotEct, ecn::kCongestionExperienced), Drop::kCongestionOnNotEct);
}
