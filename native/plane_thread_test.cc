#include "plane_thread.h"

#include <sched.h>
#include <unistd.h>

#include <thread>

#include "clock.h"
#include "testing/test.h"

using namespace moat;

namespace {

constexpr uint64_t kTurnUs = 20'000;

/** Works so many percent of each turn until it goes first, or does not; false when that never comes. */
bool Becomes(PlaneThread& self, bool first, uint64_t percent) {
  for (int turn = 0; turn < 200; turn += 1) {
    // Processor time, so that whoever else works here makes it less at most by the wait for a turn.
    const uint64_t beganUs = MicrosecondsBy(CLOCK_THREAD_CPUTIME_ID);
    while (MicrosecondsBy(CLOCK_THREAD_CPUTIME_ID) < beganUs + kTurnUs * percent / 100) {
    }
    usleep(kTurnUs * (100 - percent) / 100);
    self.Settle(MonotonicUs());
    if ((sched_getscheduler(0) == SCHED_RR) == first) return true;
  }
  return false;
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
    EXPECT(sched_getscheduler(0) == SCHED_OTHER);
    EXPECT_EQ(Becomes(self, true, 32), MayGoFirst());
    EXPECT(Becomes(self, false, 100));
    EXPECT_EQ(Becomes(self, true, 18), MayGoFirst());
    EXPECT(Becomes(self, false, 1));
  }).join();
}
