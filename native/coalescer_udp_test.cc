#include <map>

#include "checksum.h"
#include "testing/super_packets.h"
#include "testing/test.h"

using namespace moat;
using moat::testing::Add;
using moat::testing::Hex;
using moat::testing::Octets;
using moat::testing::ToHex;
using moat::testing::Written;

namespace {

struct UdpWish {
  bool ipv4 = true;
  bool dontFragment = true;
  uint16_t port = 1000;
  uint16_t identification = 1;
  size_t body = 64;
  uint8_t hopLimit = 64;
  uint8_t trafficClass = 0;
  bool checksum = true;
};

Octets MakeUdp(const UdpWish& wish) {
  Octets packet = wish.ipv4 ? Hex("45000000 00000000 40110000 0a000001 0a000002")
                            : Hex("60000000 0000 11 40 fd000000000000000000000000000001 fd000000000000000000000000000002");
  const size_t ip = packet.size();
  packet.resize(ip + 8 + wish.body);
  for (size_t i = 0; i < wish.body; i += 1) packet[ip + 8 + i] = static_cast<uint8_t>(wish.identification * 7 + i * 3 + wish.port);
  uint8_t* udp = &packet[ip];
  StoreBe16(udp, wish.port);
  StoreBe16(udp + 2, 53);
  StoreBe16(udp + 4, static_cast<uint16_t>(8 + wish.body));
  if (wish.ipv4) {
    packet[1] = wish.trafficClass;
    packet[8] = wish.hopLimit;
    if (wish.dontFragment) packet[6] = 0x40;
    StoreBe16(&packet[2], static_cast<uint16_t>(packet.size()));
    StoreBe16(&packet[4], wish.identification);
    StoreBe16(&packet[10], static_cast<uint16_t>(~FoldSum(AddToSum(0, std::span(packet).first(20)))));
  } else {
    packet[7] = wish.hopLimit;
    packet[1] = static_cast<uint8_t>(wish.trafficClass << 4);
    StoreBe16(&packet[4], static_cast<uint16_t>(8 + wish.body));
  }
  const auto sum = static_cast<uint16_t>(
      ~FoldSum(AddToSum(PseudoHeaderSum(packet.data(), kUdp, 8 + wish.body), std::span(packet).subspan(ip))));
  if (wish.checksum) StoreBe16(udp + 6, sum == 0 ? 0xffff : sum);
  return packet;
}

/** What comes out of a burst, as text, and how many writes it took. */
std::vector<std::string> Pass(std::vector<Octets> burst, size_t& writes, bool joinUdp = true) {
  Written written;
  Coalescer coalescer(written, joinUdp);
  for (Octets& packet : burst) Add(coalescer, packet);
  coalescer.Flush();
  writes = written.writes;
  std::vector<std::string> text;
  for (const Octets& packet : written.packets) text.push_back(ToHex(packet));
  return text;
}

std::vector<std::string> AsText(const std::vector<Octets>& packets) {
  std::vector<std::string> text;
  for (const Octets& packet : packets) text.push_back(ToHex(packet));
  return text;
}

}  // namespace

TEST(CoalescerJoinsUdpOfOneFlow) {
  for (const UdpWish& kind : {UdpWish{true, true}, UdpWish{true, false}, UdpWish{false}}) {
    std::vector<Octets> burst;
    for (uint16_t i = 0; i < 40; i += 1) {
      UdpWish wish = kind;
      wish.identification = i;
      if (i == 39) wish.body = 20;
      burst.push_back(MakeUdp(wish));
    }
    size_t writes = 0;
    EXPECT(Pass(burst, writes) == AsText(burst));
    EXPECT_EQ(writes, size_t{1});
    EXPECT(Pass(burst, writes, false) == AsText(burst));
    EXPECT_EQ(writes, burst.size());
  }
}

/** Each of these differs from its neighbour in a way that a super-packet cannot express. */
TEST(CoalescerKeepsUdpApartThatCannotBeCutAgain) {
  const std::vector<std::vector<UdpWish>> apart{
      {{.dontFragment = false, .identification = 1}, {.dontFragment = false, .identification = 3}},
      {{.identification = 1}, {.dontFragment = false, .identification = 2}},
      {{.identification = 1, .hopLimit = 63}, {.identification = 2}},
      {{.identification = 1, .trafficClass = 3}, {.identification = 2}},
      {{.identification = 1, .checksum = false}, {.identification = 2, .checksum = false}},
      {{.identification = 1, .body = 10}, {.identification = 2, .body = 11}},
      {{.identification = 1}, {.port = 1001, .identification = 2}},
      {{.identification = 1}, {.identification = 2, .body = 0}},
  };
  for (const std::vector<UdpWish>& two : apart) {
    const std::vector<Octets> burst{MakeUdp(two[0]), MakeUdp(two[1])};
    size_t writes = 0;
    EXPECT(Pass(burst, writes) == AsText(burst));
    EXPECT_EQ(writes, size_t{2});
  }
}

TEST(CoalescerJoinsNoUdpWithAWrongChecksum) {
  std::vector<Octets> burst;
  for (uint16_t i = 0; i < 3; i += 1) burst.push_back(MakeUdp({.identification = i}));
  burst[1].back() ^= 1;
  size_t writes = 0;
  EXPECT(Pass(burst, writes) == AsText(burst));
  EXPECT_EQ(writes, size_t{3});
}

TEST(CoalescerKeepsTheOrderOfEachUdpFlow) {
  auto random = moat::testing::Random();
  for (int round = 0; round < 100; round += 1) {
    std::map<uint16_t, std::vector<std::string>> sent, got;
    std::vector<Octets> burst;
    std::map<uint16_t, uint16_t> identifications;
    for (int i = 0; i < 120; i += 1) {
      UdpWish wish{.port = static_cast<uint16_t>(1000 + random() % 3)};
      wish.identification = identifications[wish.port]++;
      wish.ipv4 = wish.port != 1001;
      if (random() % 6 == 0) wish.body = random() % 100;
      if (random() % 12 == 0) wish.checksum = false;
      if (random() % 12 == 0) wish.dontFragment = false;
      burst.push_back(MakeUdp(wish));
      if (random() % 20 == 0) burst.back().back() ^= 4;
      sent[wish.port].push_back(ToHex(burst.back()));
    }
    Written written;
    Coalescer coalescer(written, true);
    for (Octets& packet : burst) Add(coalescer, packet);
    coalescer.Flush();
    for (const Octets& packet : written.packets) got[LoadBe16(&packet[packet[0] >> 4 == 4 ? 20 : 40])].push_back(ToHex(packet));
    EXPECT(got == sent);
    EXPECT(written.writes < burst.size());
  }
}
