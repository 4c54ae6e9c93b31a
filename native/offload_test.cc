#include "offload.h"

#include <map>

#include "checksum.h"
#include "testing/super_packets.h"
#include "testing/test.h"

using namespace moat;
using moat::testing::Add;
using moat::testing::Cut;
using moat::testing::Octets;
using moat::testing::Written;
using moat::testing::Hex;
using moat::testing::ToHex;

namespace {

constexpr uint8_t kFin = 1, kSyn = 2, kPsh = 8, kAck = 16, kEce = 64, kCwr = 128;

struct TcpWish {
  bool ipv4 = true;
  uint16_t port = 1000;
  uint32_t sequence = 1;
  uint8_t flags = kAck;
  size_t body = 100;
  std::string options = "0101080a0000000100000002";
  uint16_t identification = 1;
  uint8_t hopLimit = 64;
  uint32_t acknowledgement = 77;
  uint16_t window = 500;
};

void FinishChecksums(Octets& packet) {
  const size_t ip = packet[0] >> 4 == 4 ? 20 : 40;
  if (ip == 20) {
    StoreBe16(&packet[2], static_cast<uint16_t>(packet.size()));
    StoreBe16(&packet[10], 0);
    StoreBe16(&packet[10], static_cast<uint16_t>(~FoldSum(AddToSum(0, std::span(packet).first(20)))));
  } else {
    StoreBe16(&packet[4], static_cast<uint16_t>(packet.size() - 40));
  }
  const std::span<uint8_t> tcp = std::span(packet).subspan(ip);
  StoreBe16(&tcp[16], 0);
  StoreBe16(&tcp[16], static_cast<uint16_t>(~FoldSum(AddToSum(PseudoHeaderSum(packet.data(), kTcp, tcp.size()), tcp))));
}

Octets MakeTcp(const TcpWish& wish) {
  Octets packet = wish.ipv4 ? Hex("45000000 00004000 40060000 0a000001 0a000002")
                            : Hex("60012345 0000 06 40 fd000000000000000000000000000001 fd000000000000000000000000000002");
  if (wish.ipv4) StoreBe16(&packet[4], wish.identification);
  packet[wish.ipv4 ? 8 : 7] = wish.hopLimit;
  const Octets options = Hex(wish.options);
  Octets tcp(20);
  StoreBe16(&tcp[0], wish.port);
  StoreBe16(&tcp[2], 80);
  StoreBe32(&tcp[4], wish.sequence);
  StoreBe32(&tcp[8], wish.acknowledgement);
  tcp[12] = static_cast<uint8_t>((20 + options.size()) / 4 << 4);
  tcp[13] = wish.flags;
  StoreBe16(&tcp[14], wish.window);
  packet.insert(packet.end(), tcp.begin(), tcp.end());
  packet.insert(packet.end(), options.begin(), options.end());
  for (size_t i = 0; i < wish.body; i += 1) packet.push_back(static_cast<uint8_t>((wish.sequence + i) * 13 + wish.port));
  FinishChecksums(packet);
  return packet;
}

}  // namespace

TEST(SegmenterCutsATcpSuperPacket) {
  for (const bool ipv4 : {true, false}) {
    TcpWish wish{ipv4};
    wish.body = 3500;
    wish.flags = kAck | kPsh | kFin | kCwr;
    OffloadHeader offload;
    offload.flags = OffloadHeader::kNeedsChecksum;
    offload.gsoType = (ipv4 ? OffloadHeader::kTcp4 : OffloadHeader::kTcp6) | OffloadHeader::kEcn;
    offload.segmentLength = 1400;
    const std::vector<Octets> all = Cut(MakeTcp(wish), offload);
    EXPECT_EQ(all.size(), size_t{3});
    for (size_t i = 0; i < all.size(); i += 1) {
      TcpWish part = wish;
      part.sequence += static_cast<uint32_t>(i * 1400);
      part.identification += static_cast<uint16_t>(i);
      part.body = i == 2 ? 700 : 1400;
      part.flags = i == 0 ? kAck | kCwr : i == 1 ? kAck : kAck | kPsh | kFin;
      EXPECT_EQ(ToHex(all[i]), ToHex(MakeTcp(part)));
    }
  }
}

TEST(SegmenterCutsAUdpSuperPacket) {
  Octets packet = Hex("45000000 00074000 40110000 0a000001 0a000002 1388 0050 0000 0000");
  packet.resize(28 + 25, 0x5a);
  StoreBe16(&packet[2], static_cast<uint16_t>(packet.size()));
  OffloadHeader offload;
  offload.gsoType = OffloadHeader::kUdp;
  offload.segmentLength = 10;
  const std::vector<Octets> all = Cut(packet, offload);
  EXPECT_EQ(all.size(), size_t{3});
  for (const Octets& one : all) {
    EXPECT_EQ(size_t{LoadBe16(&one[2])}, one.size());
    EXPECT_EQ(size_t{LoadBe16(&one[24])}, one.size() - 20);
    EXPECT_EQ(FoldSum(AddToSum(PseudoHeaderSum(one.data(), kUdp, one.size() - 20), std::span(one).subspan(20))), uint16_t{0xffff});
  }
  EXPECT_EQ(all[2].size(), size_t{33});
}

TEST(SegmenterRefusesWhatTheHeaderDoesNotDescribe) {
  const Octets packet = MakeTcp({});
  IpView view;
  EXPECT_EQ(ParseIp(packet, view), Drop::kNone);
  Segmenter segmenter;
  OffloadHeader offload;
  offload.gsoType = OffloadHeader::kTcp4;
  EXPECT(!segmenter.Begin(packet, view, offload));
  offload.segmentLength = 10;
  offload.gsoType = OffloadHeader::kUdp;
  EXPECT(!segmenter.Begin(packet, view, offload));
  Octets copy = packet;
  offload.checksumStart = 100;
  offload.checksumOffset = 60000;
  EXPECT(!CompleteChecksum(copy, offload));
}

TEST(ChecksumIsCompletedFromThePseudoHeader) {
  const Octets right = MakeTcp({});
  Octets packet = right;
  StoreBe16(&packet[36], FoldSum(PseudoHeaderSum(packet.data(), kTcp, packet.size() - 20)));
  OffloadHeader offload;
  offload.checksumStart = 20;
  offload.checksumOffset = 16;
  EXPECT(CompleteChecksum(packet, offload));
  EXPECT_EQ(ToHex(packet), ToHex(right));
}

TEST(CoalescerMakesOneSuperPacketOfABurst) {
  for (const bool ipv4 : {true, false}) {
    Written written;
    Coalescer coalescer(written, true);
    std::vector<Octets> burst;
    for (uint32_t i = 0; i < 20; i += 1) {
      TcpWish wish{ipv4, 1000, 5 + i * 1400};
      wish.identification = static_cast<uint16_t>(i);
      wish.body = i == 19 ? 200 : 1400;
      wish.flags = i == 19 ? kAck | kPsh : kAck;
      burst.push_back(MakeTcp(wish));
    }
    const std::vector<Octets> sent = burst;
    for (Octets& packet : burst) Add(coalescer, packet);
    EXPECT_EQ(written.writes, size_t{1});
    EXPECT_EQ(written.packets.size(), sent.size());
    for (size_t i = 0; i < sent.size(); i += 1) EXPECT_EQ(ToHex(written.packets[i]), ToHex(sent[i]));
  }
}

TEST(CoalescerLosesNothingAndKeepsTheOrderOfEachFlow) {
  auto random = moat::testing::Random();
  for (int round = 0; round < 200; round += 1) {
    std::map<uint16_t, TcpWish> flows;
    std::map<uint16_t, std::vector<std::string>> sent, got;
    std::vector<Octets> packets;
    for (int i = 0; i < 150; i += 1) {
      const auto port = static_cast<uint16_t>(1000 + random() % (round % 2 == 0 ? 3 : 12));
      TcpWish& wish = flows[port];
      wish.port = port;
      wish.ipv4 = port % 2 == 0;
      wish.body = random() % 8 == 0 ? random() % 300 : 200;
      wish.flags = kAck;
      TcpWish odd = wish;
      switch (random() % 40) {
        case 0: odd.flags = kAck | kPsh; break;
        case 1: odd.flags = kAck | kFin; break;
        case 2: odd.flags = kSyn; break;
        case 3: odd.flags = kAck | kEce; break;
        case 4: odd.sequence += 7; break;
        case 5: odd.options = "0101080a0000000100000009"; break;
        case 6: odd.options = ""; break;
        case 7: odd.hopLimit = 63; break;
        case 8: odd.window = 400; break;
        case 9: odd.acknowledgement = 78; break;
        default: break;
      }
      Octets packet = MakeTcp(odd);
      if (random() % 40 == 0) packet.back() ^= 1;
      if (random() % 40 == 0 && odd.ipv4) packet[10] ^= 1;
      wish.sequence += static_cast<uint32_t>(wish.body);
      wish.identification += 1;
      sent[port].push_back(ToHex(packet));
      packets.push_back(packet);
    }
    Written written;
    Coalescer coalescer(written, true);
    for (Octets& packet : packets) Add(coalescer, packet);
    coalescer.Flush();
    for (const Octets& packet : written.packets) got[LoadBe16(&packet[packet[0] >> 4 == 4 ? 20 : 40])].push_back(ToHex(packet));
    EXPECT(got == sent);
    EXPECT(written.writes < packets.size());
  }
}
