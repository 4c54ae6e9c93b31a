#include "load_switch.h"

#include "testing/test.h"

using namespace moat;

namespace {

/** Windows of so many percent each until it answers `on`; 0: not within 100. */
int WindowsUntil(LoadSwitch& load, uint64_t& nowUs, uint64_t& spentUs, unsigned percent, bool on) {
  for (int window = 1; window <= 100; window += 1) {
    nowUs += LoadSwitch::kWindowUs;
    spentUs += LoadSwitch::kWindowUs * percent / 100;
    if (!load.Due(nowUs)) return -1;
    if (load.On(nowUs, spentUs) == on) return window;
  }
  return 0;
}

}  // namespace

TEST(LoadSwitchGoesOnUnderLastingLoadOnly) {
  LoadSwitch load({50, 25});
  uint64_t nowUs = 1'000'000, spentUs = 0;
  EXPECT(!load.On(nowUs, spentUs));
  EXPECT(!load.Due(nowUs + LoadSwitch::kWindowUs - 1));
  EXPECT_EQ(WindowsUntil(load, nowUs, spentUs, 49, true), 0);
  // A burst is no load.
  nowUs += 2 * LoadSwitch::kWindowUs;
  spentUs += 2 * LoadSwitch::kWindowUs;
  EXPECT(!load.On(nowUs, spentUs));
  EXPECT_EQ(WindowsUntil(load, nowUs, spentUs, 10, true), 0);
  EXPECT_EQ(WindowsUntil(load, nowUs, spentUs, 50, true), static_cast<int>(LoadSwitch::kWindows));
}

TEST(LoadSwitchGoesOffWhenItIsCalm) {
  LoadSwitch load({50, 25});
  uint64_t nowUs = 1'000'000, spentUs = 0;
  EXPECT(!load.On(nowUs, spentUs));
  EXPECT_EQ(WindowsUntil(load, nowUs, spentUs, 150, true), static_cast<int>(LoadSwitch::kWindows));
  EXPECT_EQ(WindowsUntil(load, nowUs, spentUs, 25, false), 0);
  EXPECT_EQ(WindowsUntil(load, nowUs, spentUs, 24, false), static_cast<int>(LoadSwitch::kWindows));
}

TEST(LoadSwitchTakesALongSleepForOneCalmWindow) {
  LoadSwitch load({50, 25});
  uint64_t nowUs = 1'000'000, spentUs = 0;
  EXPECT(!load.On(nowUs, spentUs));
  EXPECT_EQ(WindowsUntil(load, nowUs, spentUs, 90, true), static_cast<int>(LoadSwitch::kWindows));
  nowUs += 3'600'000'000;
  EXPECT(load.On(nowUs, spentUs));
  EXPECT_EQ(WindowsUntil(load, nowUs, spentUs, 90, false), 0);
}
