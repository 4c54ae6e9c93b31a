#include "replay_window.h"

#include <set>

#include "testing/test.h"

using moat::ReplayWindow;

namespace {

/** What RFC 4303 3.4.3 says, in the words of sets. */
struct Model {
  uint64_t size;
  std::set<uint64_t> received;
  uint64_t highest = 0;

  bool Check(uint64_t sequence) const {
    if (sequence == 0 || received.contains(sequence)) return false;
    return sequence > highest || highest - sequence < size;
  }

  void Accept(uint64_t sequence) {
    received.insert(sequence);
    highest = std::max(highest, sequence);
  }

  uint64_t Lost() const {
    uint64_t lost = 0;
    for (uint64_t sequence = 1; sequence + size <= highest; sequence += 1) lost += received.contains(sequence) ? 0 : 1;
    return lost;
  }
};

}  // namespace

TEST(ReplayWindowDoesWhatTheModelDoes) {
  auto random = moat::testing::Random();
  for (int round = 0; round < 60; round += 1) {
    const uint64_t size = uint64_t{64} << random() % 4;
    ReplayWindow window(size);
    Model model{size, {}, 0};
    for (int step = 0; step < 600; step += 1) {
      const uint64_t spread = random() % 20 == 0 ? 3 * size : random() % 8 == 0 ? size + 2 : 6;
      const uint64_t ahead = model.highest + random() % (spread + 1);
      const uint64_t sequence = random() % 3 == 0 ? ahead - std::min(ahead, random() % (size + 4)) : ahead;
      EXPECT_EQ(window.Check(sequence), model.Check(sequence));
      if (!model.Check(sequence) || random() % 10 == 0) continue;
      window.Accept(sequence);
      model.Accept(sequence);
    }
    EXPECT_EQ(window.Highest(), model.highest);
    EXPECT_EQ(window.Lost(), model.Lost());
  }
}

TEST(ReplayWindowKeepsExactlyItsSize) {
  ReplayWindow window(4096);
  window.Accept(5000);
  EXPECT(window.Check(905));
  EXPECT(!window.Check(904));
  EXPECT(!window.Check(5000));
  EXPECT(!window.Check(0));
  EXPECT_EQ(window.Lost(), uint64_t{904});
}

TEST(ReplayWindowExtendsAcrossTheRollOver) {
  // RFC 4303 A2.2: the 64-bit number nearest to the window whose low half is the one on the wire.
  constexpr uint64_t kTurn = uint64_t{1} << 32;
  for (const uint64_t size : {uint64_t{64}, uint64_t{4096}}) {
    for (const uint64_t highest : {kTurn - 3, kTurn - 1, kTurn, kTurn + 1, kTurn + size - 2, kTurn + size - 1, kTurn + size, 7 * kTurn + 10}) {
      ReplayWindow window(size);
      window.Accept(highest);
      const uint64_t first = highest - size + 1;
      for (const uint64_t sequence : {first, first + 1, highest - 1, highest, highest + 1, highest + 100000, first + kTurn - 1}) {
        EXPECT_EQ(window.Extend(static_cast<uint32_t>(sequence)), sequence);
      }
    }
  }
}

TEST(ReplayWindowKnowsNothingBeforeTheFirst) {
  ReplayWindow window(64);
  window.Accept(5);
  EXPECT_EQ(window.Extend(0xfffffff0), uint64_t{0});
  EXPECT(!window.Check(window.Extend(0xfffffff0)));
}
