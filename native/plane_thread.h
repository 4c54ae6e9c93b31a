#pragma once

#include <cstdint>

#include "load_switch.h"

namespace moat {

/**
 * The calling thread as the scheduler has it, while it passes packets.
 *
 * Theory of operation: a thread that passes packets runs for microseconds at a time, but the scheduler lets whoever runs finish a slice of three
 * milliseconds when the woken one has had its share; a kernel that forwards waits for nobody. So a thread that works goes before all others
 * (SCHED_RR), where it may (CAP_SYS_NICE). With too much to do it would starve them: while it needs nearly a whole processor it is one among equals. So it
 * is with hardly anything to do: the scheduler moves one among equals to the processor of who wakes it, which is awake, and a first one never.
 */
class PlaneThread {
 public:
  /** @param name at most 15 characters. */
  explicit PlaneThread(const char* name) noexcept;

  /** To be called in every turn. @param nowUs of the monotonic clock. */
  void Settle(uint64_t nowUs) noexcept;

 private:
  LoadSwitch works_{{15, 5}};
  LoadSwitch starves_{{90, 40}};
  const int nice_;
  bool mayGoFirst_ = false;
  bool first_ = false;
};

/** Sleeps so many microseconds, not much longer. */
void Pause(uint64_t us) noexcept;

}  // namespace moat
