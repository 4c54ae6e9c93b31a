#include "pacer.h"

#include "testing/test.h"

using namespace moat;

namespace {

/** What is to be waited after turns of 20 us in which so many packets of so many octets passed in every millisecond, for five of them. */
uint64_t PauseAt(uint64_t packets, uint64_t octets) {
  Pacer pacer;
  Pacer::Passed passed;
  uint64_t pauseUs = 0;
  for (uint64_t nowUs = 10'000; nowUs < 15'000; nowUs += 100) {
    passed.packets += nowUs % 1000 == 0 ? packets : 0;
    passed.octets += nowUs % 1000 == 0 ? packets * octets : 0;
    pauseUs = pacer.PauseAfter(passed, nowUs - 20, nowUs);
  }
  return pauseUs;
}

}  // namespace

TEST(PacerLetsWorkGatherWhereThereIsMuch) {
  EXPECT_EQ(PauseAt(0, 0), uint64_t{0});
  EXPECT_EQ(PauseAt(Pacer::kBusyPackets - 1, 64), uint64_t{0});
  EXPECT_EQ(PauseAt(Pacer::kBusyPackets, 64), Pacer::kSmallPauseUs - 20);
  EXPECT_EQ(PauseAt(400, 1400), Pacer::kPauseUs - 20);
}

TEST(PacerCountsThePauseFromTheStartOfTheTurn) {
  Pacer pacer;
  pacer.PauseAfter({0, 0}, 10'000, 10'000);
  EXPECT_EQ(pacer.PauseAfter({100, 9200}, 10'960, 11'000), Pacer::kSmallPauseUs - 40);
  EXPECT_EQ(pacer.PauseAfter({110, 10120}, 11'000, 11'300), uint64_t{0});
}

TEST(PacerForgetsAThreadThatSlept) {
  Pacer pacer;
  pacer.PauseAfter({0, 0}, 10'000, 10'000);
  EXPECT(pacer.PauseAfter({100, 9200}, 11'000, 11'000) > 0);
  EXPECT_EQ(pacer.PauseAfter({1000, 92'000}, 60'000, 60'000), uint64_t{0});
}
