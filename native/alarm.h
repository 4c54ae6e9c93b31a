#pragma once

#include <sys/timerfd.h>

#include <cstdint>

#include "fd.h"

namespace moat {

/**
 * Wakes a Poller at a time of the monotonic clock. A timeout of epoll_wait would start and stop a timer of the kernel around every sleep, before
 * the packet that ended it; this one is touched when something has to happen earlier than it was set for, a few times a second.
 */
class Alarm {
 public:
  Alarm() : timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {}

  /** Readable when the time has come, until `Rang`. */
  int Descriptor() const noexcept { return timer_.Get(); }

  /** Rings at `atUs` or before: what it is set for already is not put off. UINT64_MAX: never. */
  void NotLaterThan(uint64_t atUs) noexcept {
    if (atUs >= setUs_) return;
    setUs_ = atUs;
    // A time of zero would switch it off.
    const uint64_t at = atUs > 0 ? atUs : 1;
    const itimerspec when{{}, {static_cast<time_t>(at / 1'000'000), static_cast<long>(at % 1'000'000 * 1000)}};
    timerfd_settime(timer_.Get(), TFD_TIMER_ABSTIME, &when, nullptr);
  }

  void Rang() noexcept {
    setUs_ = UINT64_MAX;
    uint64_t times;
    if (read(timer_.Get(), &times, sizeof times) < 0) return;
  }

 private:
  Fd timer_;
  uint64_t setUs_ = UINT64_MAX;
};

}  // namespace moat
