#include "load_switch.h"

#include "testing/test.h"

using namespace moat;

namespace {

/** Windows alike that follow each other. */
struct Stretch {
  const char* name;
  unsigned percent;
  /** The last of them by which it has changed its position; 0: it keeps it through all. */
  unsigned changesAfter;
  unsigned windows = 100;
  uint64_t windowUs = LoadSwitch::kWindowUs;
};

constexpr unsigned kWindows = LoadSwitch::kWindows;
constexpr uint64_t kHourUs = 3'600'000'000;

constexpr Stretch kDay[] = {
    {"just too little", 49, 0},
    {"a burst is no load", 100, 0, 1, 2 * LoadSwitch::kWindowUs},
    {"little", 10, 0},
    {"enough: on", 50, kWindows},
    {"not calm yet", 25, 0},
    {"a long sleep is one calm window", 0, 0, 1, kHourUs},
    {"load as before", 90, 0},
    {"calm: off", 24, kWindows},
    {"two threads' worth: on", 150, kWindows},
};

}  // namespace

TEST(LoadSwitchFollowsLastingLoadAndCalmOnly) {
  LoadSwitch load({50, 25});
  uint64_t nowUs = 1'000'000, spentUs = 0;
  bool on = load.On(nowUs, spentUs);
  EXPECT(!on);
  for (const Stretch& stretch : kDay) {
    unsigned changedAfter = 0;
    for (unsigned window = 1; window <= stretch.windows && changedAfter == 0; window += 1) {
      EXPECT(!load.Due(nowUs + LoadSwitch::kWindowUs - 1));
      nowUs += stretch.windowUs;
      spentUs += stretch.windowUs * stretch.percent / 100;
      EXPECT(load.Due(nowUs));
      if (load.On(nowUs, spentUs) != on) changedAfter = window;
    }
    on ^= changedAfter != 0;
    if (changedAfter != stretch.changesAfter) moat::testing::Fail(__FILE__, __LINE__, std::string(stretch.name) + ": " + moat::testing::Show(changedAfter));
  }
}
