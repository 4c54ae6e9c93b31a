#include "path_mtu.h"

#include <algorithm>
#include <vector>

#include "testing/test.h"

using moat::PathMtu;
using moat::Probe;

namespace {

/** A path on virtual time: it loses what is too large, and some of the rest, and answers after the round trip. */
struct World {
  uint16_t pathMtu;
  uint64_t roundTripMs = 40;
  int lossPercent = 0;
  uint16_t interfaceMtu = 9000;
  uint64_t nowMs = 5000;
  PathMtu machine{{576, 9000}, 5000};
  std::vector<std::pair<uint64_t, uint32_t>> answers = {};
  int probes = 0;
  bool dead = false;
  std::mt19937_64 random = moat::testing::Random();

  void SendProbes() {
    Probe probe;
    while (machine.NextProbe(probe, nowMs)) {
      if (probe.size > interfaceMtu) {
        machine.TooLargeHere(probe.size, nowMs);
        continue;
      }
      probes += 1;
      const bool lost = dead || probe.size > pathMtu || static_cast<int>(random() % 100) < lossPercent || static_cast<int>(random() % 100) < lossPercent;
      if (!lost) answers.emplace_back(nowMs + roundTripMs, probe.id);
    }
  }

  void Millisecond(uint64_t envelopes) {
    nowMs += 1;
    for (size_t i = 0; i < answers.size(); i += 1) {
      if (answers[i].first != nowMs) continue;
      machine.Acknowledged(answers[i].second, nowMs);
    }
    std::erase_if(answers, [&](const auto& one) { return one.first <= nowMs; });
    if (envelopes > 0) machine.Sent(envelopes, nowMs);
    if (machine.WakeAt() <= nowMs) machine.Tick(nowMs);
    SendProbes();
  }

  void Run(uint64_t milliseconds, uint64_t envelopesPerMs) {
    for (uint64_t i = 0; i < milliseconds; i += 1) Millisecond(envelopesPerMs);
  }
};

constexpr uint16_t kPaths[] = {576, 620, 1280, 1300, 1380, 1400, 1420, 1454, 1460, 1480, 1492, 1500, 9000};

}  // namespace

TEST(PathMtuFindsEveryPathOfTheIssue) {
  for (const uint16_t path : kPaths) {
    World world{path};
    world.Run(3000, 0);
    EXPECT(world.machine.Complete());
    EXPECT(world.machine.Size() <= path && world.machine.Size() + PathMtu::kGranularity >= path);
    EXPECT(world.probes < 90);
  }
}

TEST(PathMtuIsUsableAfterOneRoundTrip) {
  World world{1454};
  EXPECT_EQ(world.machine.Size(), uint16_t{576});
  EXPECT_EQ(world.machine.ClampSize(), uint16_t{1280});
  world.Run(world.roundTripMs + 2, 0);
  EXPECT_EQ(world.machine.Size(), uint16_t{1440});
  EXPECT(world.machine.Answered());
}

TEST(PathMtuNeverExceedsThePathUnderLoss) {
  for (const uint16_t path : {uint16_t{1300}, uint16_t{1500}}) {
    World world{path};
    world.lossPercent = 10;
    for (int i = 0; i < 20'000; i += 1) {
      world.Millisecond(5);
      if (world.machine.Size() > path) break;
    }
    EXPECT(world.machine.Size() <= path);
    world.lossPercent = 0;
    world.Run(40'000, 5);
    EXPECT(world.machine.Size() + PathMtu::kGranularity >= path);
  }
}

TEST(PathMtuNoticesABlackHoleInUnderASecondUnderLoad) {
  for (const uint64_t roundTripMs : {uint64_t{1}, uint64_t{20}, uint64_t{100}}) {
    for (const uint16_t narrow : {uint16_t{576}, uint16_t{1300}, uint16_t{1400}}) {
      World world{1500};
      world.roundTripMs = roundTripMs;
      world.Run(5000, 10);
      EXPECT_EQ(world.machine.Size(), uint16_t{1500});
      world.pathMtu = narrow;
      uint64_t until = 0;
      while (world.machine.Size() > narrow && until < 5000) {
        world.Millisecond(10);
        until += 1;
      }
      EXPECT(until < 700);
      EXPECT_EQ(world.machine.BlackHoles(), uint64_t{1});
      world.Run(3000, 10);
      EXPECT(world.machine.Size() <= narrow && world.machine.Size() + PathMtu::kGranularity >= narrow);
    }
  }
}

TEST(PathMtuRaisesWithinAMinuteOfTraffic) {
  World world{1300};
  world.Run(5000, 2);
  EXPECT(world.machine.Size() <= 1300);
  world.pathMtu = 1500;
  uint64_t until = 0;
  while (world.machine.Size() < 1500 && until < 100'000) {
    world.Millisecond(2);
    until += 1;
  }
  EXPECT(until < 35'000);
}

TEST(PathMtuIsSilentWithoutTraffic) {
  World world{1420};
  world.Run(5000, 0);
  const int probes = world.probes;
  world.Run(120'000, 0);
  EXPECT_EQ(world.probes, probes);
  EXPECT_EQ(world.machine.WakeAt(), UINT64_MAX);
}

TEST(PathMtuDoesNotTakeADeadPathForANarrowOne) {
  World world{1500};
  world.Run(5000, 10);
  world.dead = true;
  world.Run(20'000, 10);
  EXPECT_EQ(world.machine.BlackHoles(), uint64_t{0});
  EXPECT_EQ(world.machine.Size(), uint16_t{1500});
  world.dead = false;
  world.Run(3000, 10);
  EXPECT_EQ(world.machine.Size(), uint16_t{1500});
}

TEST(PathMtuStaysSmallWithAPeerThatDoesNotAnswerAndAsksAgain) {
  World world{1500};
  world.dead = true;
  world.Run(10'000, 1);
  EXPECT_EQ(world.machine.Size(), uint16_t{576});
  EXPECT(!world.machine.Answered());
  world.dead = false;
  world.Run(6'000, 1);
  EXPECT_EQ(world.machine.Size(), uint16_t{1500});
}

TEST(PathMtuTakesTheInterfacesWord) {
  World world{9000};
  world.interfaceMtu = 1500;
  world.Run(3000, 0);
  EXPECT_EQ(world.machine.Size(), uint16_t{1500});
  EXPECT(world.probes < 30);
  world.machine.TooLargeHere(1500, world.nowMs);
  EXPECT_EQ(world.machine.Size(), uint16_t{576});
  world.interfaceMtu = 1492;
  world.Run(2000, 0);
  EXPECT(world.machine.Size() >= 1484 && world.machine.Size() <= 1492);
}

TEST(PathMtuIgnoresStaleAcknowledgements) {
  World world{576};
  world.Run(5000, 0);
  for (uint32_t id = 0; id < 5000; id += 1) world.machine.Acknowledged(id, world.nowMs);
  EXPECT_EQ(world.machine.Size(), uint16_t{576});
}
