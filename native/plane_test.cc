#include "plane.h"

#include <sys/socket.h>

#include <climits>

#include "clock.h"
#include "testing/test.h"

using namespace moat;

/*
 * Two planes in one process over the loopback interface, each with a socket pair in place of TUN (one datagram = one packet), high
 * ports, and therefore no privileges. Under the thread sanitizer this is the proof that calls and packets do not race.
 */
namespace {

class Events : public EventSink {
 public:
  bool Post(Event event) noexcept override {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    return true;
  }
  void Ended() noexcept override { ended = true; }
  size_t Count() {
    const std::lock_guard lock(mutex_);
    return events_.size();
  }
  Event At(size_t index) {
    const std::lock_guard lock(mutex_);
    return events_[index];
  }

  std::atomic<bool> ended = false;

 private:
  std::mutex mutex_;
  std::vector<Event> events_;
};

struct Node {
  Events events;
  Fd kernelSide;
  std::unique_ptr<Plane> plane;
  Endpoint at;
};

Address AddressOf(const char* text) {
  Address address;
  EXPECT(ParseAddress(text, address));
  return address;
}

/** How the two ways of a plane share threads. */
struct Sharing {
  unsigned threads;
  LoadSwitch::Limits apart{50, 25};
};

/** One thread; two at once and for good; and a way out that goes to and fro every few milliseconds. */
constexpr Sharing kTogether{1, {}}, kApart{2, {0, 0}}, kToAndFro{2, {0, UINT_MAX}};

void Open(Node& node, const char* address, uint16_t firstPort, const Sharing& sharing = kTogether) {
  int ends[2];
  EXPECT(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  node.kernelSide = Fd(ends[0]);
  PlaneOptions options;
  options.ports = {firstPort, static_cast<uint16_t>(firstPort + 1)};
  options.threads = sharing.threads;
  options.apart = sharing.apart;
  OpenError error;
  node.plane = Plane::OpenOver(Tun(Fd(ends[1])), options, node.events, error);
  EXPECT_EQ(error.message, "");
  node.at = {AddressOf(address), options.ports.natTraversal};
}

Selectors Net(const char* start, const char* end) { return {{AddressOf(start), AddressOf(end)}}; }

SaSettings Common(uint32_t tunnel, uint32_t spi, const std::vector<uint8_t>& key) {
  SaSettings settings;
  settings.tunnel = tunnel;
  settings.spi = spi;
  settings.key = key;
  settings.esn = true;
  return settings;
}

/** One direction: from `from`, whose net is 10.0.1.0/24, to `to`, whose net is 10.0.2.0/24. */
void Connect(Node& from, Node& to, uint32_t tunnel, uint32_t spi) {
  const std::vector<uint8_t> key(36, static_cast<uint8_t>(spi));
  SaSettings inbound = Common(tunnel, spi, key);
  inbound.local = Net("10.0.2.0", "10.0.2.255");
  inbound.remote = Net("10.0.1.0", "10.0.1.255");
  EXPECT(to.plane->Install(inbound));
  OutboundSettings outbound;
  outbound.sa = Common(tunnel, spi, key);
  outbound.sa.local = inbound.remote;
  outbound.sa.remote = inbound.local;
  outbound.path = {from.at, to.at};
  EXPECT(from.plane->Install(outbound));
}

std::vector<uint8_t> Packet(size_t length) {
  std::vector<uint8_t> packet(length, 0x33);
  const std::vector<uint8_t> header = moat::testing::Hex("45000000 00000000 40fd0000 0a000105 0a000205");
  std::copy(header.begin(), header.end(), packet.begin());
  StoreBe16(&packet[2], static_cast<uint16_t>(length));
  return packet;
}

bool WaitFor(const std::function<bool()>& done) {
  for (int i = 0; i < 4000; i += 1) {
    if (done()) return true;
    usleep(1000);
  }
  return false;
}

/** Octets of the next packet at the far kernel. */
size_t Arrived(const Node& node) {
  uint8_t buffer[70000];
  ssize_t length = -1;
  WaitFor([&] { return (length = recv(node.kernelSide.Get(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0; });
  return length > 0 ? static_cast<size_t>(length) : 0;
}

void Write(const Node& node, const std::vector<uint8_t>& packet) {
  EXPECT(send(node.kernelSide.Get(), packet.data(), packet.size(), 0) > 0);
}

uint64_t Drops(const Counters& counters, Drop drop) { return counters.drops[static_cast<size_t>(drop)]; }

void FollowPeer(const Sharing& sharing) {
  Node a, b, moved;
  Open(a, "127.0.0.1", 15500, sharing);
  Open(b, "127.0.0.2", 16500, sharing);
  Connect(a, b, 1, 1000);
  OutboundSettings back;
  const std::vector<uint8_t> key(36, 9);
  back.sa = Common(1, 2000, key);
  back.sa.remote = Net("10.0.1.0", "10.0.1.255");
  back.sa.local = Net("10.0.2.0", "10.0.2.255");
  back.path = {b.at, {AddressOf("127.0.0.9"), 4500}};
  back.followPeer = true;
  back.afterInbound = 1000;
  EXPECT(b.plane->Install(back));
  const auto record = b.plane->Records()[1];
  EXPECT(!record->active);
  Write(a, Packet(100));
  EXPECT_EQ(Arrived(b), size_t{100});
  EXPECT(WaitFor([&] { return record->active && record->GetPath().remote == a.at; }));
  a.plane->MovePath(1, {{AddressOf("127.0.0.8"), a.at.port}, b.at});
  // A packet may overtake the command.
  EXPECT(WaitFor([&] {
    Write(a, Packet(100));
    return record->GetPath().remote.address == AddressOf("127.0.0.8");
  }));
}

void TakeCommandsUnderLoad(const Sharing& sharing) {
  Node a, b;
  Open(a, "127.0.0.1", 15500, sharing);
  Open(b, "127.0.0.2", 16500, sharing);
  Connect(a, b, 1, 1000);
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> written = 0;
  std::thread load([&] {
    const std::vector<uint8_t> packet = Packet(200);
    while (!stop) {
      if (send(a.kernelSide.Get(), packet.data(), packet.size(), 0) > 0) written += 1;
      uint8_t sink[2000];
      while (recv(b.kernelSide.Get(), sink, sizeof sink, MSG_DONTWAIT) > 0) {
      }
    }
  });
  for (uint32_t round = 1; round <= 200; round += 1) {
    // A rekey, a neighbour that comes and goes, an IKE message, and a look at the figures.
    Connect(a, b, 1, 1000 + round);
    a.plane->RemoveOutbound(1, 999 + round);
    Connect(a, b, 2, 50'000 + round);
    a.plane->RemoveOutbound(2, 50'000 + round);
    b.plane->RemoveInbound(50'000 + round);
    a.plane->Send(std::vector<uint8_t>(40, 1), {a.at, b.at});
    for (const auto& one : b.plane->Records()) EXPECT(one->packets <= written + 1);
    usleep(500);
  }
  EXPECT(WaitFor([&] { return b.events.Count() >= 200; }));
  stop = true;
  load.join();
  EXPECT(b.plane->Received().packets > 100);
  EXPECT_EQ(Drops(b.plane->Received(), Drop::kAuthFailed), uint64_t{0});
  EXPECT_EQ(Drops(b.plane->Received(), Drop::kReplayed), uint64_t{0});
}

constexpr uint32_t kUnderWay = 64;

/** Sends `count` numbered packets through the tunnel while the far kernel reads; how many came, all in order. */
uint64_t PassInOrder(const Node& from, const Node& to, uint32_t count) {
  std::atomic<uint32_t> last = 0;
  std::thread sender([&] {
    std::vector<uint8_t> packet = Packet(200);
    for (uint32_t number = 1; number <= count; number += 1) {
      StoreBe32(&packet[40], number);
      // What the socket pair does not take yet it takes soon.
      while (send(from.kernelSide.Get(), packet.data(), packet.size(), 0) < 0) usleep(20);
      // Nothing may be lost because somebody is slow.
      WaitFor([&] { return number - last < kUnderWay; });
    }
  });
  uint8_t packet[2000];
  uint64_t arrived = 0;
  const auto drained = [&] {
    for (; recv(to.kernelSide.Get(), packet, sizeof packet, MSG_DONTWAIT) > 0; arrived += 1) {
      EXPECT(LoadBe32(packet + 40) > last);
      last = LoadBe32(packet + 40);
    }
    return last == count;
  };
  EXPECT(WaitFor(drained));
  sender.join();
  return arrived;
}

void KeepOrder(const Sharing& sharing) {
  constexpr uint32_t kCount = 20'000;
  Node a, b;
  Open(a, "127.0.0.1", 15500, sharing);
  Open(b, "127.0.0.2", 16500, sharing);
  Connect(a, b, 1, 1000);
  Connect(b, a, 1, 2000);
  uint64_t there = 0, back = 0;
  std::thread one([&] { there = PassInOrder(a, b, kCount); });
  back = PassInOrder(b, a, kCount);
  one.join();
  EXPECT_EQ(there + Drops(b.plane->Received(), Drop::kTunWriteFailed), uint64_t{kCount});
  EXPECT_EQ(back + Drops(a.plane->Received(), Drop::kTunWriteFailed), uint64_t{kCount});
  EXPECT_EQ(a.plane->TimesApart() > 0, sharing.threads > 1);
  if (sharing.apart.offBelow > 0) EXPECT(b.plane->TimesApart() > 1);
}

}  // namespace

TEST(PlaneCarriesPacketsAndEndsByItself) {
  Node a, b;
  Open(a, "127.0.0.1", 15500);
  Open(b, "127.0.0.2", 16500);
  Connect(a, b, 1, 1000);
  for (const size_t length : {20u, 21u, 1500u, 9000u, 60000u}) {
    Write(a, Packet(length));
    EXPECT_EQ(Arrived(b), length);
  }
  EXPECT_EQ(a.plane->Sent().packets.load(), uint64_t{5});
  EXPECT_EQ(b.plane->Received().packets.load(), uint64_t{5});
  const auto records = b.plane->Records();
  EXPECT_EQ(records.size(), size_t{1});
  EXPECT_EQ(records[0]->sequence.load(), uint64_t{5});
  EXPECT_EQ(records[0]->octets.load(), uint64_t{70541});
  a.plane->Stop();
  EXPECT(WaitFor([&] { return a.events.ended.load(); }));
}

TEST(PlaneNamesEveryDrop) {
  Node a, b;
  Open(a, "127.0.0.1", 15500);
  Open(b, "127.0.0.2", 16500);
  Write(a, Packet(100));
  EXPECT(WaitFor([&] { return a.events.Count() == 1; }));
  EXPECT(std::holds_alternative<AcquireEvent>(a.events.At(0)));
  EXPECT_EQ(Drops(a.plane->Sent(), Drop::kNoOutboundSa), uint64_t{1});
  Connect(a, b, 1, 1000);
  std::vector<uint8_t> broken = Packet(100);
  broken[3] = 99;
  Write(a, broken);
  b.plane->RemoveInbound(1000);
  Write(a, Packet(100));
  EXPECT(WaitFor([&] { return Drops(b.plane->Received(), Drop::kNoInboundSa) == 1; }));
  EXPECT_EQ(Drops(a.plane->Sent(), Drop::kMalformed), uint64_t{1});
  // The same SPI with another key: authentication fails. With other selectors: mismatch.
  const std::vector<uint8_t> otherKey(36, 0x77);
  SaSettings other = Common(1, 1000, otherKey);
  EXPECT(b.plane->Install(other));
  Write(a, Packet(100));
  EXPECT(WaitFor([&] { return Drops(b.plane->Received(), Drop::kAuthFailed) == 1; }));
  b.plane->RemoveInbound(1000);
  const std::vector<uint8_t> key(36, static_cast<uint8_t>(1000));
  other.key = key;
  other.local = other.remote = Net("10.0.9.0", "10.0.9.255");
  EXPECT(b.plane->Install(other));
  Write(a, Packet(100));
  EXPECT(WaitFor([&] { return Drops(b.plane->Received(), Drop::kSelectorMismatch) == 1; }));
}

TEST(PlaneFollowsAPeerThatMoves) { FollowPeer(kTogether); }
TEST(PlaneFollowsAPeerThatMovesWithTwoThreads) { FollowPeer(kApart); }

TEST(PlaneTakesCommandsWhilePacketsPass) { TakeCommandsUnderLoad(kTogether); }
TEST(PlaneTakesCommandsWhilePacketsPassWithTwoThreads) { TakeCommandsUnderLoad(kApart); }
TEST(PlaneTakesCommandsWhileTheWayOutGoesToAndFro) { TakeCommandsUnderLoad(kToAndFro); }

TEST(PlaneKeepsOrderWithTwoThreads) { KeepOrder(kApart); }
TEST(PlaneKeepsOrderWhileTheWayOutGoesToAndFro) { KeepOrder(kToAndFro); }
