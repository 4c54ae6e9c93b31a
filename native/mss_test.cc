#include "mss.h"

#include "checksum.h"
#include "icmp.h"
#include "testing/test.h"

using namespace moat;
using moat::testing::Hex;
using moat::testing::ToHex;

namespace {

const std::string kHeader4 = "45000000 00004000 40060000 0a000001 0a000002";
const std::string kHeader6 = "60000000 0000 06 40 fd000000000000000000000000000001 fd000000000000000000000000000002";

uint16_t TcpSum(const std::vector<uint8_t>& packet, size_t headerLength) {
  const size_t addresses = headerLength == 20 ? 12 : 8;
  const uint64_t pseudo = AddToSum(packet.size() - headerLength + kTcp, std::span(packet).subspan(addresses, headerLength - addresses));
  return FoldSum(AddToSum(pseudo, std::span(packet).subspan(headerLength)));
}

/** A TCP packet with these flags and options and a right checksum. */
std::vector<uint8_t> Tcp(const std::string& ip, const std::string& flags, const std::string& options) {
  std::string offset = std::to_string((20 + Hex(options).size()) / 4);
  if (offset.size() == 2) offset = std::string(1, static_cast<char>('a' + std::stoi(offset) - 10));
  std::vector<uint8_t> packet = Hex(ip + "1388 0050 01020304 00000000" + offset + "0" + flags + "ffff 0000 0000" + options);
  const size_t headerLength = ip == kHeader4 ? 20 : 40;
  if (headerLength == 20) StoreBe16(&packet[2], static_cast<uint16_t>(packet.size()));
  if (headerLength == 40) StoreBe16(&packet[4], static_cast<uint16_t>(packet.size() - 40));
  StoreBe16(&packet[headerLength + 16], static_cast<uint16_t>(~TcpSum(packet, headerLength)));
  return packet;
}

bool Clamp(std::vector<uint8_t>& packet, size_t largest) {
  IpView view;
  EXPECT_EQ(ParseIp(packet, view), Drop::kNone);
  return ClampMss(packet, view, largest);
}

}  // namespace

TEST(MssIsLoweredExactlyAndTheChecksumStaysRight) {
  for (const std::string& header : {kHeader4, kHeader6}) {
    const size_t headerLength = header == kHeader4 ? 20 : 40;
    for (const char* flags : {"02", "12", "c2"}) {
      std::vector<uint8_t> packet = Tcp(header, flags, "020405b4 0402080a 00000001 00000000 01030307");
      EXPECT(Clamp(packet, 1434));
      EXPECT_EQ(LoadBe16(&packet[headerLength + 22]), static_cast<uint16_t>(1434 - 20 - headerLength));
      EXPECT_EQ(TcpSum(packet, headerLength), uint16_t{0xffff});
      // Applying it twice changes nothing.
      EXPECT(!Clamp(packet, 1434));
    }
  }
}

TEST(MssAtAnOddOffset) {
  for (size_t largest = 100; largest < 1500; largest += 13) {
    std::vector<uint8_t> packet = Tcp(kHeader4, "02", "01020405b4010100");
    EXPECT(Clamp(packet, largest));
    EXPECT_EQ(LoadBe16(&packet[20 + 23]), static_cast<uint16_t>(largest - 40));
    EXPECT_EQ(TcpSum(packet, 20), uint16_t{0xffff});
  }
}

TEST(MssIsNeverRaisedNorInvented) {
  for (const char* options : {"02040200", "", "01010101", "03030700", "000204ff", "0203ffff", "02ffffff", "0400ffff", "ffffffff", "02040000"}) {
    std::vector<uint8_t> packet = Tcp(kHeader4, "02", options);
    const std::vector<uint8_t> before = packet;
    EXPECT(!Clamp(packet, 1000));
    EXPECT_EQ(ToHex(packet), ToHex(before));
  }
  // Not a SYN; a header that claims more than there is.
  std::vector<uint8_t> data = Tcp(kHeader4, "10", "020405b4");
  EXPECT(!Clamp(data, 1000));
  std::vector<uint8_t> lying = Tcp(kHeader4, "02", "020405b4");
  lying[32] = 0xf0;
  EXPECT(!Clamp(lying, 1000));
  // A later fragment that looks like one.
  std::vector<uint8_t> fragment = Tcp(kHeader4, "02", "020405b4");
  StoreBe16(&fragment[6], 100);
  EXPECT(!Clamp(fragment, 1000));
}

TEST(TooBigForIpv4) {
  std::vector<uint8_t> packet(1500, 7);
  const std::vector<uint8_t> header = Hex("450005dc 12344000 40110000 0a000001 0a000002 1388 0050 05c8 0000");
  std::copy(header.begin(), header.end(), packet.begin());
  IpView view;
  EXPECT_EQ(ParseIp(packet, view), Drop::kNone);
  std::vector<uint8_t> out(kMaxIcmp);
  const size_t length = MakeTooBig(packet, view, 1438, out);
  EXPECT_EQ(length, size_t{576});
  out.resize(length);
  EXPECT_EQ(ToHex(std::span(out).subspan(12, 8)), "0a0000020a000001");
  EXPECT_EQ(ToHex(std::span(out).subspan(20, 2)), "0304");
  EXPECT_EQ(LoadBe16(&out[26]), uint16_t{1438});
  EXPECT_EQ(FoldSum(AddToSum(0, std::span(out).first(20))), uint16_t{0xffff});
  EXPECT_EQ(FoldSum(AddToSum(0, std::span(out).subspan(20))), uint16_t{0xffff});
  EXPECT_EQ(ParseIp(out, view), Drop::kNone);
  // No error about an error, none without DF, none to many.
  EXPECT_EQ(MakeTooBig(out, view, 100, packet), size_t{0});
  packet[6] = 0;
  EXPECT_EQ(ParseIp(packet, view), Drop::kNone);
  EXPECT_EQ(MakeTooBig(packet, view, 1438, out), size_t{0});
}

TEST(TooBigForIpv6) {
  std::vector<uint8_t> packet(1500, 7);
  const std::vector<uint8_t> header = Hex("60000000 05b4 11 40 fd000000000000000000000000000001 fd000000000000000000000000000002 1388 0050 05b4 0000");
  std::copy(header.begin(), header.end(), packet.begin());
  IpView view;
  EXPECT_EQ(ParseIp(packet, view), Drop::kNone);
  std::vector<uint8_t> out(kMaxIcmp);
  const size_t length = MakeTooBig(packet, view, 1418, out);
  EXPECT_EQ(length, size_t{1280});
  EXPECT_EQ(ToHex(std::span(out).subspan(40, 2)), "0200");
  EXPECT_EQ(LoadBe32(&out[44]), uint32_t{1418});
  const uint64_t pseudo = AddToSum(length - 40 + 58, std::span(out).subspan(8, 32));
  EXPECT_EQ(FoldSum(AddToSum(pseudo, std::span(out).subspan(40))), uint16_t{0xffff});
  packet[24] = 0xff;
  EXPECT_EQ(ParseIp(packet, view), Drop::kNone);
  EXPECT_EQ(MakeTooBig(packet, view, 1418, out), size_t{0});
}
