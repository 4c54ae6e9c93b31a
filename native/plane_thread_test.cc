#include "plane_thread.h"

#include <sched.h>
#include <unistd.h>

#include <thread>

#include "clock.h"
#include "testing/test.h"

using namespace moat;

namespace {

/** Whether a thread that is so busy, in percent, for a fifth of a second goes first in every turn, or in the last. */
struct Precedence {
  bool always = true;
  bool ever = false;
  bool last = false;
};

Precedence PrecedenceAt(PlaneThread& self, uint64_t percent) {
  constexpr uint64_t kTurnUs = 2000;
  Precedence first;
  for (int turn = 0; turn < 100; turn += 1) {
    const uint64_t beganUs = MonotonicUs();
    while (MonotonicUs() < beganUs + kTurnUs * percent / 100) {
    }
    if (percent < 100) usleep(kTurnUs * (100 - percent) / 100);
    self.Settle(MonotonicUs());
    first.last = sched_getscheduler(0) == SCHED_RR;
    first.always = first.always && first.last;
    first.ever = first.ever || first.last;
  }
  return first;
}

/** Whether threads of this process may. */
bool MayGoFirst() {
  bool may = false;
  std::thread([&] {
    const sched_param priority{1};
    may = sched_setscheduler(0, SCHED_RR, &priority) == 0;
  }).join();
  return may;
}

}  // namespace

TEST(PlaneThreadGoesFirstWhileItWorksAndOthersCan) {
  std::thread([] {
    PlaneThread self("test");
    EXPECT(!PrecedenceAt(self, 1).ever);
    const bool may = PrecedenceAt(self, 50).last;
    EXPECT_EQ(may, MayGoFirst());
    EXPECT(!PrecedenceAt(self, 100).always);
    EXPECT(!PrecedenceAt(self, 1).last);
  }).join();
}
