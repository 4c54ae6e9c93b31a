#include "aggfrag.h"

#include <algorithm>
#include <map>

#include "reassembly.h"
#include "testing/test.h"

using namespace moat;
using moat::testing::Hex;
using moat::testing::ToHex;
using Octets = std::vector<uint8_t>;

namespace {

struct Packed {
  std::vector<Octets> payloads;
  aggfrag::Packer packer;
  Octets buffer = Octets(10000);

  void Add(const Octets& packet, size_t capacity) {
    packer.Add(packet, capacity, [&] { return buffer.data(); }, [&](std::span<uint8_t> one) { payloads.emplace_back(one.begin(), one.end()); });
  }
  /** Writes where the packer gives room; false: it did not, and was given the packet. */
  bool AddInRoom(const Octets& packet, size_t capacity) {
    const auto emit = [&](std::span<uint8_t> one) { payloads.emplace_back(one.begin(), one.end()); };
    uint8_t* room = packer.Room(packet.size(), capacity, [&] { return buffer.data(); }, emit);
    if (room == nullptr) return Add(packet, capacity), false;
    std::copy(packet.begin(), packet.end(), room);
    packer.Written(emit);
    return true;
  }
  void Finish() {
    packer.Finish([&](std::span<uint8_t> one) { payloads.emplace_back(one.begin(), one.end()); });
  }
};

struct Heard : aggfrag::Receiver {
  std::vector<Octets> packets;
  std::vector<Octets> pads;
  void Packet(std::span<uint8_t> packet) noexcept override { packets.emplace_back(packet.begin(), packet.end()); }
  void AllPad(std::span<const uint8_t> pad) noexcept override { pads.emplace_back(pad.begin(), pad.end()); }
};

/** An IPv4 or IPv6 packet of this length whose octets tell which one it is. */
Octets Inner(size_t length, uint32_t number) {
  Octets packet(length);
  for (size_t i = 0; i < length; i += 1) packet[i] = static_cast<uint8_t>(number * 31 + i * 7);
  if (number % 3 == 0 && length >= 40) {
    packet[0] = 0x60;
    StoreBe16(&packet[4], static_cast<uint16_t>(length - 40));
  } else {
    packet[0] = 0x45;
    StoreBe16(&packet[2], static_cast<uint16_t>(length));
  }
  return packet;
}

}  // namespace

TEST(PackerGivesRoomWhereItWouldHavePutThePacket) {
  auto random = moat::testing::Random();
  for (int round = 0; round < 200; round += 1) {
    const size_t capacity = 64 + random() % 1400;
    Packed added, roomed;
    size_t rooms = 0;
    for (uint32_t i = 0; i < 40; i += 1) {
      const Octets packet = Inner(20 + random() % (random() % 3 == 0 ? 3000 : capacity), i);
      added.Add(packet, capacity);
      rooms += roomed.AddInRoom(packet, capacity) ? 1 : 0;
      if (random() % 6 > 0) continue;
      added.Finish();
      roomed.Finish();
    }
    added.Finish();
    roomed.Finish();
    EXPECT(rooms > 0);
    EXPECT(added.payloads == roomed.payloads);
  }
}

TEST(AggfragLayoutOnTheWire) {
  Packed packed;
  packed.Add(Hex("45000015 00000000 40fd0000 0a000001 0a000002 aa"), 64);
  packed.Add(Hex("60000000 0002 3b 40 fd000000000000000000000000000001 fd000000000000000000000000000002 bbcc"), 64);
  packed.Finish();
  // The second does not fit behind the first (25 + 42 > 64) and is not split, since it fits an envelope of its own.
  EXPECT_EQ(packed.payloads.size(), size_t{2});
  EXPECT_EQ(ToHex(packed.payloads[0]), "00000000450000150000000040fd00000a0000010a000002aa");
  EXPECT_EQ(ToHex(packed.payloads[1]), "00000000" "600000000002" "3b40" "fd000000000000000000000000000001fd000000000000000000000000000002bbcc");
}

TEST(AggfragSharesAnEnvelopeAndSplitsWhatIsTooLarge) {
  Packed packed;
  packed.Add(Inner(20, 1), 104);
  packed.Add(Inner(150, 2), 104);
  packed.Add(Inner(24, 4), 104);
  packed.Finish();
  // 4 + 20 + 80 | 4 + 70 + 24
  EXPECT_EQ(packed.payloads.size(), size_t{2});
  EXPECT_EQ(packed.payloads[0].size(), size_t{104});
  EXPECT_EQ(packed.payloads[1].size(), size_t{98});
  EXPECT_EQ(ToHex(std::span(packed.payloads[0]).first(4)), "00000000");
  EXPECT_EQ(ToHex(std::span(packed.payloads[1]).first(4)), "00000046");
  EXPECT_EQ(ToHex(std::span(packed.payloads[1]).subspan(4, 70)), ToHex(Inner(150, 2)).substr(160));
  EXPECT_EQ(packed.payloads[1][74], uint8_t{0x45});
}

TEST(AggfragBlockOffsetCountsAcrossPayloads) {
  Packed packed;
  packed.Add(Inner(300, 1), 104);
  packed.Finish();
  EXPECT_EQ(packed.payloads.size(), size_t{3});
  EXPECT_EQ(ToHex(std::span(packed.payloads[1]).first(4)), "000000c8");
  EXPECT_EQ(ToHex(std::span(packed.payloads[2]).first(4)), "00000064");
  EXPECT_EQ(packed.payloads[2].size(), size_t{104});
}

TEST(AggfragInBulkCostsLittleMoreThanItsShare) {
  // A path of 1500 octets: 1438 of payload (issue: at most 1.06 envelopes for a packet of 1500, at least 12 of 64 in one).
  Packed large, small;
  for (uint32_t i = 0; i < 1000; i += 1) large.Add(Inner(1500, i), 1438);
  large.Finish();
  EXPECT(large.payloads.size() <= 1060);
  for (uint32_t i = 0; i < 1000; i += 1) small.Add(Inner(64, i), 1438);
  small.Finish();
  EXPECT(small.payloads.size() <= 1000 / 22 + 1);
}

TEST(ReassemblyReadsForeignPayloads) {
  aggfrag::BufferPool pool(16);
  aggfrag::Reassembly reassembly(pool);
  Heard heard;
  const Octets packet = Inner(100, 1);
  const std::string text = ToHex(packet);
  // Sub-type 1 with its 24 octets, a packet, then padding.
  Octets payload = Hex("0100 0000 00000000 0000000000000000 0000000000000000" + text + "0011223344");
  EXPECT_EQ(reassembly.Receive(1, payload, 0, heard), Drop::kNone);
  // A start of one octet only (a "runt"), an all-pad payload between, then the rest.
  payload = Hex("00000000" + text.substr(0, 2));
  EXPECT_EQ(reassembly.Receive(2, payload, 0, heard), Drop::kNone);
  payload = Hex("00000000 00ffffff");
  EXPECT_EQ(reassembly.Receive(3, payload, 0, heard), Drop::kNone);
  payload = Hex("00000063" + text.substr(2) + text);
  EXPECT_EQ(reassembly.Receive(4, payload, 0, heard), Drop::kNone);
  EXPECT_EQ(heard.packets.size(), size_t{3});
  for (const Octets& one : heard.packets) EXPECT_EQ(ToHex(one), text);
  EXPECT_EQ(heard.pads.size(), size_t{1});
  EXPECT_EQ(pool.InUse(), size_t{0});
}

TEST(ReassemblyRefusesWhatDoesNotFit) {
  aggfrag::BufferPool pool(16);
  aggfrag::Reassembly reassembly(pool);
  Heard heard;
  const std::string text = ToHex(Inner(100, 1));
  const auto receive = [&](uint64_t sequence, const std::string& hex) {
    Octets payload = Hex(hex);
    return reassembly.Receive(sequence, payload, 0, heard);
  };
  EXPECT_EQ(receive(1, "000000"), Drop::kMalformed);
  EXPECT_EQ(receive(2, "02000000" + text), Drop::kMalformed);
  EXPECT_EQ(receive(3, "0100000000"), Drop::kMalformed);
  // Total Length 0 and IHL 4 would never end or start a packet; nibbles that are no version.
  EXPECT_EQ(receive(4, "00000000" "4500000000000000"), Drop::kMalformed);
  EXPECT_EQ(receive(5, "00000000" "4400006400000000"), Drop::kMalformed);
  for (const char* nibble : {"1", "2", "3", "5", "7", "f"}) EXPECT_EQ(receive(6, std::string("00000000") + nibble + "5000064"), Drop::kMalformed);
  // BlockOffset that is not what is missing: the packet is given up, what follows is read.
  EXPECT_EQ(receive(10, "00000000" + text.substr(0, 80)), Drop::kNone);
  EXPECT_EQ(receive(11, "0000003b" + text.substr(80, 118) + text), Drop::kReassemblyFailed);
  EXPECT_EQ(heard.packets.size(), size_t{1});
  // The sender began something new: the old start is given up.
  EXPECT_EQ(receive(12, "00000000" + text.substr(0, 80)), Drop::kNone);
  EXPECT_EQ(receive(13, "00000000" + text), Drop::kReassemblyFailed);
  EXPECT_EQ(heard.packets.size(), size_t{2});
  EXPECT_EQ(pool.InUse(), size_t{0});
  EXPECT_EQ(reassembly.Incomplete(), uint64_t{2});
}

TEST(ReassemblyGivesUpInTimeAndSpace) {
  aggfrag::BufferPool pool(2);
  aggfrag::Reassembly reassembly(pool);
  Heard heard;
  Packed packed;
  packed.Add(Inner(150, 1), 104);
  packed.Finish();
  Octets first = packed.payloads[0], second = packed.payloads[1];
  EXPECT_EQ(reassembly.Receive(1, first, 1000, heard), Drop::kNone);
  EXPECT_EQ(reassembly.Receive(2, second, 2001, heard), Drop::kReassemblyFailed);
  EXPECT_EQ(pool.InUse(), size_t{0});
  for (uint64_t sequence = 10; sequence < 16; sequence += 2) {
    first = packed.payloads[0];
    EXPECT_EQ(reassembly.Receive(sequence, first, 3000, heard), sequence == 14 ? Drop::kReassemblyFull : Drop::kNone);
  }
  // The window moves on and frees them.
  second = packed.payloads[1];
  reassembly.Receive(10 + 2 * aggfrag::Reassembly::kWindow, second, 3000, heard);
  EXPECT_EQ(pool.InUse(), size_t{1});
  EXPECT(heard.packets.empty());
}

/** An SA that has gone silent keeps neither parts of packets, of which all SAs together may have a few, nor its ring. */
TEST(ReassemblyGivesEverythingBackWhenItIsSilent) {
  Packed packed;
  packed.Add(Inner(400, 1), 100);
  packed.Finish();
  aggfrag::BufferPool pool(4);
  aggfrag::Reassembly reassembly(pool);
  Heard heard;
  EXPECT_EQ(reassembly.Receive(1, packed.payloads[0], 10, heard), Drop::kNone);
  EXPECT_EQ(reassembly.Receive(3, packed.payloads[2], 20, heard), Drop::kNone);
  EXPECT_EQ(pool.InUse(), size_t{2});
  reassembly.Sweep(20 + aggfrag::Reassembly::kDropMs);
  EXPECT_EQ(pool.InUse(), size_t{2});
  reassembly.Sweep(21 + aggfrag::Reassembly::kDropMs);
  EXPECT_EQ(pool.InUse(), size_t{0});
  EXPECT(!reassembly.HasRing());
  EXPECT_EQ(reassembly.Incomplete(), uint64_t{1});
  // It goes on with the numbers that follow, as if nothing had been.
  for (size_t i = 0; i < packed.payloads.size(); i += 1) EXPECT_EQ(reassembly.Receive(10 + i, packed.payloads[i], 5000, heard), Drop::kNone);
  EXPECT_EQ(heard.packets.size(), size_t{1});
  EXPECT(heard.packets[0] == Inner(400, 1));
}

TEST(ReassemblyDeliversExactlyWhatArrivedInWhole) {
  auto random = moat::testing::Random();
  for (int round = 0; round < 300; round += 1) {
    const size_t capacity = round % 2 == 0 ? 64 + random() % 200 : 500 + random() % 1000;
    const double loss = round % 3 == 0 ? 0 : 0.01 * static_cast<double>(random() % 30);
    const size_t reorder = random() % 10;
    Packed packed;
    std::vector<std::pair<size_t, size_t>> touched;
    std::vector<Octets> sent;
    const Octets allPad = Hex("00000000000000");
    for (uint32_t i = 0; i < 60; i += 1) {
      sent.push_back(Inner(20 + random() % (random() % 4 == 0 ? 3000 : 300), i));
      packed.Add(sent.back(), capacity);
      if (random() % 5 == 0) packed.Finish();
      if (random() % 8 == 0 && !packed.packer.IsOpen()) packed.payloads.push_back(allPad);
    }
    packed.Finish();
    // Which envelopes a packet touches, by walking the stream as its sender wrote it.
    size_t envelope = 0, offset = 4;
    const auto pads = [&] {
      while (envelope < packed.payloads.size() && (offset == packed.payloads[envelope].size() || packed.payloads[envelope] == allPad)) {
        envelope += 1;
        offset = 4;
      }
    };
    for (const Octets& packet : sent) {
      pads();
      const size_t begin = envelope;
      for (size_t left = packet.size(); left > 0;) {
        pads();
        const size_t part = std::min(left, packed.payloads[envelope].size() - offset);
        left -= part;
        offset += part;
      }
      touched.emplace_back(begin, envelope);
    }
    std::vector<size_t> order;
    std::vector<bool> lost(packed.payloads.size());
    for (size_t i = 0; i < packed.payloads.size(); i += 1) {
      lost[i] = static_cast<double>(random() % 1000) / 1000 < loss;
      if (!lost[i]) order.push_back(i);
    }
    for (size_t i = 0; reorder > 0 && i + reorder < order.size(); i += reorder) std::shuffle(order.begin() + i, order.begin() + i + reorder, random);
    aggfrag::BufferPool pool(1000);
    std::map<std::string, int> expected;
    for (size_t i = 0; i < sent.size(); i += 1) {
      bool whole = true;
      // All-pad envelopes between do count: without one it is not known that nothing of the packet was in it.
      for (size_t at = touched[i].first; at <= touched[i].second; at += 1) whole = whole && !lost[at];
      if (whole) expected[ToHex(sent[i])] += 1;
    }
    Heard heard;
    {
      aggfrag::Reassembly reassembly(pool);
      for (const size_t index : order) {
        Octets payload = packed.payloads[index];
        EXPECT_EQ(reassembly.Receive(1000 + index, payload, 5, heard), Drop::kNone);
      }
    }
    EXPECT_EQ(pool.InUse(), size_t{0});
    std::map<std::string, int> delivered;
    for (const Octets& packet : heard.packets) delivered[ToHex(packet)] += 1;
    EXPECT(delivered == expected);
  }
}
