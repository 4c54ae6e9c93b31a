#pragma once

#include <cstdint>

#include "load_switch.h"

namespace moat {

/**
 * The calling thread as the scheduler has it, while it passes packets.
 *
 * Theory of operation: a thread that waits for packets runs for microseconds, but the scheduler lets whoever runs finish a slice of three milliseconds
 * when the woken one has had its share; a kernel that forwards waits for nobody. So the thread goes before all others (SCHED_RR), where it may
 * (CAP_SYS_NICE). With much to do it would starve them: while it needs nearly a whole processor it is one among equals.
 */
class PlaneThread {
 public:
  /** @param name at most 15 characters. */
  explicit PlaneThread(const char* name) noexcept;

  /** To be called in every turn. @param nowUs of the monotonic clock. */
  void Settle(uint64_t nowUs) noexcept;

 private:
  LoadSwitch busy_{{90, 40}};
  const int nice_;
  bool mayGoFirst_;
  bool first_;
};

/** Sleeps so many microseconds, not much longer. */
void Pause(uint64_t us) noexcept;

}  // namespace moat
