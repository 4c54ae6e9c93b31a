#pragma once

#include <time.h>

#include <cstdint>

namespace moat {

inline uint64_t MicrosecondsOf(const timespec& time) noexcept {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_nsec) / 1000;
}

inline uint64_t MicrosecondsBy(clockid_t clock) noexcept {
  timespec now{};
  clock_gettime(clock, &now);
  return MicrosecondsOf(now);
}

/** Microseconds of the monotonic clock. The only clock of the plane; everything below it gets the time as an argument. */
inline uint64_t MonotonicUs() noexcept { return MicrosecondsBy(CLOCK_MONOTONIC); }

inline uint64_t MonotonicMs() noexcept { return MonotonicUs() / 1000; }

}  // namespace moat
