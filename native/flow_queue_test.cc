#include "flow_queue.h"

#include <map>

#include "testing/test.h"

using namespace moat;

namespace {

struct Rig {
  Counters counters;
  FlowQueue queue{counters, 7};
  std::map<uint32_t, uint32_t> added;

  /** Adds a UDP packet of `flow`; its first four octets of payload are a number of its own. @returns false: no room. */
  bool Add(uint16_t flow, size_t length, uint64_t nowUs, uint8_t ecn = 0) {
    const std::span<uint8_t> room = queue.Room();
    if (room.size() < length) return false;
    const std::vector<uint8_t> header = moat::testing::Hex("45000000 00000000 40110000 0a000001 0a000002 0000 0050 0000 0000");
    std::copy(header.begin(), header.end(), room.begin());
    room[1] = ecn;
    StoreBe16(&room[2], static_cast<uint16_t>(length));
    StoreBe16(&room[20], flow);
    StoreBe32(&room[28], added[flow]++);
    IpView view;
    EXPECT_EQ(ParseIp(room.first(length), view), Drop::kNone);
    queue.Add(room.first(length), view, {}, nowUs);
    return true;
  }

  uint64_t Lost() const { return counters.drops[static_cast<size_t>(Drop::kOverload)]; }
};

uint32_t NumberOf(const FlowQueue::Packet& packet) { return LoadBe32(&packet.octets[28]); }

}  // namespace

TEST(FlowQueuePassesEverythingInOrderWhileItIsShort) {
  auto random = moat::testing::Random();
  Rig rig;
  std::map<uint16_t, uint32_t> next;
  uint64_t waiting = 0, passed = 0;
  for (int i = 0; i < 20'000; i += 1) {
    const size_t length = random() % 20 == 0 ? 32 + random() % 60'000 : 32 + random() % 200;
    EXPECT(rig.Add(static_cast<uint16_t>(random() % 40), length, 1000));
    waiting += 1;
    for (uint64_t most = random() % 8; most > 0 || rig.queue.Octets() > 1'000'000; most -= most > 0 ? 1 : 0) {
      const FlowQueue::Packet* packet = rig.queue.Next(1001);
      if (packet == nullptr) break;
      EXPECT_EQ(NumberOf(*packet), next[packet->view.sourcePort]);
      EXPECT_EQ(packet->octets.size(), packet->view.length);
      next[packet->view.sourcePort] += 1;
      passed += 1;
    }
  }
  while (rig.queue.Next(1002) != nullptr) passed += 1;
  EXPECT_EQ(passed, waiting);
  EXPECT(rig.queue.Empty());
  EXPECT_EQ(rig.queue.Octets(), size_t{0});
  EXPECT_EQ(rig.Lost(), uint64_t{0});
}

TEST(FlowQueueLetsASparseFlowGoFirst) {
  Rig rig;
  for (int i = 0; i < 20; i += 1) rig.Add(1, 60'000, 0);
  for (int i = 0; i < 3; i += 1) EXPECT_EQ(rig.queue.Next(0)->view.sourcePort, uint16_t{1});
  rig.Add(2, 84, 0);
  EXPECT_EQ(rig.queue.Next(0)->view.sourcePort, uint16_t{2});
  EXPECT_EQ(rig.queue.Next(0)->view.sourcePort, uint16_t{1});
}

TEST(FlowQueueSharesOctetsAmongBusyFlows) {
  Rig rig;
  for (int i = 0; i < 10; i += 1) rig.Add(1, 60'000, 0);
  for (int i = 0; i < 400; i += 1) rig.Add(2, 1500, 0);
  std::map<uint16_t, size_t> octets;
  for (size_t sum = 0; sum < 600'000;) {
    const FlowQueue::Packet* packet = rig.queue.Next(0);
    octets[packet->view.sourcePort] += packet->octets.size();
    sum += packet->octets.size();
  }
  EXPECT(octets[1] > 200'000 && octets[2] > 200'000);
}

TEST(FlowQueueTakesFromTheLongestWhenItIsFull) {
  Rig rig;
  EXPECT(rig.Add(2, 100, 0));
  for (int i = 0; i < 1000; i += 1) EXPECT(rig.Add(1, 9000, 0));
  EXPECT(rig.queue.Octets() <= FlowQueue::kMostOctets);
  EXPECT(rig.Lost() > 0);
  std::map<uint16_t, uint32_t> passed;
  while (const FlowQueue::Packet* packet = rig.queue.Next(0)) passed[packet->view.sourcePort] += 1;
  EXPECT_EQ(passed[2], uint32_t{1});
  EXPECT_EQ(passed[1] + rig.Lost(), uint64_t{1000});
}

TEST(FlowQueueIsBoundedInPacketsToo) {
  Rig rig;
  uint64_t in = 0;
  for (int i = 0; i < 50'000; i += 1) in += rig.Add(static_cast<uint16_t>(i % 3), 40, 0) ? 1 : 0;
  EXPECT_EQ(in, uint64_t{50'000});
  uint64_t out = 0;
  while (rig.queue.Next(0) != nullptr) out += 1;
  EXPECT(out <= FlowQueue::kMostPackets);
  EXPECT_EQ(out + rig.Lost(), in);
}

/** A flow whose packets wait 20 ms for a second: CoDel takes some out, or marks them where that is understood. */
TEST(FlowQueueSlowsAFlowThatWaits) {
  for (const uint8_t ecn : {uint8_t{0}, uint8_t{2}}) {
    Rig rig;
    uint64_t marked = 0, passed = 0, bad = 0;
    for (uint64_t nowUs = 0; nowUs < 1'000'000; nowUs += 1000) {
      rig.Add(1, 1500, nowUs, ecn);
      if (nowUs < 20'000) continue;
      const FlowQueue::Packet* packet = rig.queue.Next(nowUs);
      if (packet == nullptr) continue;
      passed += 1;
      marked += (packet->octets[1] & 3) == 3 ? 1 : 0;
      bad += packet->view.ecn != (packet->octets[1] & 3) ? 1 : 0;
    }
    EXPECT_EQ(bad, uint64_t{0});
    EXPECT(passed > 900);
    EXPECT(ecn == 0 ? rig.Lost() >= 5 && rig.Lost() < 60 && marked == 0 : rig.Lost() == 0 && marked >= 5 && marked < 100);
  }
}

TEST(CodelLeavesAShortQueueAlone) {
  Codel codel;
  bool takesOut = false;
  for (uint64_t nowUs = 0; nowUs < 2'000'000; nowUs += 1000) {
    // Once in 90 ms the queue is short: nothing stands in it.
    takesOut = takesOut || codel.TakesOut(nowUs % 90'000 == 0 ? 1000 : 50'000, false, nowUs);
    takesOut = takesOut || codel.TakesOut(50'000, true, nowUs);
  }
  EXPECT(!takesOut);
}
