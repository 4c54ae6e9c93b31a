#pragma once

#include <time.h>

#include <cstdint>

namespace moat {

/** Microseconds of the monotonic clock. The only clock of the plane; everything below it gets the time as an argument. */
inline uint64_t MonotonicUs() noexcept {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

inline uint64_t MonotonicMs() noexcept { return MonotonicUs() / 1000; }

}  // namespace moat
