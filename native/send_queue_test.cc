#include "send_queue.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <deque>

#include "testing/test.h"

using namespace moat;

namespace {

constexpr uint16_t kFirstPort = 17500;

struct Nobody : SizeObserver {
  void TooLargeHere(uint32_t, size_t) noexcept override {}
};

/** A queue over real sockets, and two peers on the loopback interface. */
struct Rig {
  OpenError error;
  std::optional<Sockets> sockets = Sockets::Open({kFirstPort, kFirstPort + 1}, error);
  Counters counters;
  Nobody nobody;
  SendQueue queue{*sockets, counters, nobody, 70'000};
  Fd peers[2];
  WirePath paths[2];

  Rig() {
    for (int i = 0; i < 2; i += 1) {
      peers[i] = Fd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const int octets = 4 << 20;
      setsockopt(peers[i].Get(), SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets);
      sockaddr_in at{};
      at.sin_family = AF_INET;
      at.sin_addr.s_addr = htonl(0x7f000001 + static_cast<uint32_t>(i));
      at.sin_port = htons(kFirstPort + 10);
      EXPECT(bind(peers[i].Get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
      Path path;
      path.local = {{0x7f000001, 4}, kFirstPort + 1};
      path.remote = {{0x7f000001u + static_cast<uint32_t>(i), 4}, kFirstPort + 10};
      paths[i] = WirePath(path);
    }
  }

  SendQueue::Envelope Envelope(size_t length, int peer) const { return {length, paths[peer], SocketKind::kNatTraversal4}; }

  std::vector<uint8_t> Next(int peer) {
    std::vector<uint8_t> datagram(65536);
    const ssize_t length = recv(peers[peer].Get(), datagram.data(), datagram.size(), 0);
    datagram.resize(length > 0 ? static_cast<size_t>(length) : 0);
    return datagram;
  }
};

std::vector<uint8_t> Datagram(uint32_t number, size_t length) {
  std::vector<uint8_t> octets(length);
  for (size_t i = 0; i < length; i += 1) octets[i] = static_cast<uint8_t>(number * 31 + i);
  return octets;
}

}  // namespace

/** Lanes that take turns, lengths that fit together and that do not, more than the queue holds, and slots that stay out for long. */
TEST(SendQueueSendsEveryEnvelopeInTheOrderOfItsLane) {
  auto random = moat::testing::Random();
  Rig rig;
  constexpr int kLanes = 6;
  SendLane lanes[kLanes];
  uint8_t* slots[kLanes] = {};
  // The first octet names the lane: only within one the order is kept.
  std::deque<std::vector<uint8_t>> byLane[kLanes];
  for (uint32_t number = 0; number < 3000; number += 1) {
    const int lane = static_cast<int>(random() % kLanes);
    if (slots[lane] == nullptr) slots[lane] = rig.queue.Take(lanes[lane], 1500);
    if (random() % 5 == 0) continue;
    const size_t length = random() % 8 == 0 ? 1 + random() % 1500 : 1400;
    std::vector<uint8_t> octets = Datagram(number, length);
    octets[0] = static_cast<uint8_t>(lane);
    std::copy(octets.begin(), octets.end(), slots[lane]);
    slots[lane] = nullptr;
    if (random() % 30 == 0) {
      rig.queue.Put(lanes[lane]);
      continue;
    }
    rig.queue.Commit(lanes[lane], rig.Envelope(length, lane % 2));
    byLane[lane].push_back(octets);
    if (random() % 200 == 0) rig.queue.Flush();
  }
  rig.queue.Flush();
  EXPECT(!rig.queue.Blocked());
  for (int peer = 0; peer < 2; peer += 1) {
    for (std::vector<uint8_t> got = rig.Next(peer); !got.empty(); got = rig.Next(peer)) {
      const int lane = got[0];
      EXPECT(lane < kLanes && lane % 2 == peer);
      if (lane >= kLanes || byLane[lane].empty()) return;
      EXPECT(got == byLane[lane].front());
      byLane[lane].pop_front();
    }
  }
  for (const auto& left : byLane) EXPECT(left.empty());
}

/** As many envelopes open as it promises, none disturbed by what is sent meanwhile. */
TEST(SendQueueKeepsEveryOpenSlot) {
  Rig rig;
  std::vector<SendLane> lanes(SendQueue::kLanes);
  std::vector<uint8_t*> slots;
  for (SendLane& lane : lanes) slots.push_back(rig.queue.Take(lane, 1000));
  for (size_t i = 0; i < lanes.size(); i += 1) std::fill_n(slots[i], 1000, static_cast<uint8_t>(i));
  SendLane busy;
  for (int i = 0; i < 2000; i += 1) {
    std::fill_n(rig.queue.Take(busy, 1400), 1400, uint8_t{0xee});
    rig.queue.Commit(busy, rig.Envelope(1400, 0));
    if (i % 50 == 0) {
      while (!rig.Next(0).empty()) {
      }
    }
  }
  for (size_t i = 0; i < lanes.size(); i += 1) rig.queue.Commit(lanes[i], rig.Envelope(1000, 1));
  rig.queue.Flush();
  for (size_t i = 0; i < lanes.size(); i += 1) EXPECT(rig.Next(1) == std::vector<uint8_t>(1000, static_cast<uint8_t>(i)));
}

TEST(SendQueueCountsWhatHasNoSocketOrNoRoute) {
  Rig rig;
  SendLane lane;
  rig.queue.Take(lane, 100);
  Path nowhere;
  nowhere.local = {{0x7f000001, 4}, kFirstPort + 1};
  nowhere.remote = {{0x7f000001, 4}, 0};
  const WirePath path(nowhere);
  rig.queue.Commit(lane, {100, path, SocketKind::kNatTraversal4});
  rig.queue.Flush();
  EXPECT_EQ(rig.counters.drops[static_cast<size_t>(Drop::kSendFailed)].load(), uint64_t{1});
}
