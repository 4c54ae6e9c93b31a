#include "plane_thread.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

namespace moat {
namespace {

/**
 * As one among equals its share of the processor is what it was, but it gets it in slices of half a millisecond instead of three, and so its turn
 * earlier when a packet wakes it (Linux 6.12; older kernels ignore it, sched_setattr(2)).
 */
constexpr uint64_t kSliceNs = 500'000;

/** The lowest of those that go before the others. */
constexpr uint32_t kRealTimePriority = 1;

/** `sched_attr` of sched_setattr(2), whose own header does not go together with the C library's. */
struct SchedulingAttributes {
  uint32_t size = sizeof(SchedulingAttributes);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtimeNs = 0;
  uint64_t deadlineNs = 0;
  uint64_t periodNs = 0;
};

bool Set(const SchedulingAttributes& attributes) noexcept { return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0; }

bool GoFirst() noexcept {
  SchedulingAttributes attributes;
  attributes.policy = SCHED_RR;
  attributes.priority = kRealTimePriority;
  return Set(attributes);
}

bool QueueUp(int nice) noexcept {
  SchedulingAttributes attributes;
  attributes.nice = nice;
  attributes.runtimeNs = kSliceNs;
  return Set(attributes);
}

}  // namespace

PlaneThread::PlaneThread(const char* name) noexcept : nice_(getpriority(PRIO_PROCESS, 0)) {
  pthread_setname_np(pthread_self(), name);
  mayGoFirst_ = GoFirst();
  QueueUp(nice_);
  // Pauses of tens of microseconds must not become a hundred; the unit is nanoseconds.
  prctl(PR_SET_TIMERSLACK, 1000);
}

void PlaneThread::Settle(uint64_t nowUs) noexcept {
  if (!mayGoFirst_ || !works_.Due(nowUs)) return;
  const uint64_t spentUs = MicrosecondsBy(CLOCK_THREAD_CPUTIME_ID);
  const bool works = works_.On(nowUs, spentUs), starves = starves_.On(nowUs, spentUs);
  if (first_ == (works && !starves)) return;
  if (first_ ? QueueUp(nice_) : GoFirst()) first_ = !first_;
}

void Pause(uint64_t us) noexcept {
  if (us == 0) return;
  const timespec pause{0, static_cast<long>(us * 1000)};
  nanosleep(&pause, nullptr);
}

}  // namespace moat
