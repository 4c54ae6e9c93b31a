#pragma once

#include <cstdint>

namespace moat {

/**
 * Tells a busy thread to let work gather instead of waking for every packet.
 *
 * Theory of operation: to wake a thread costs its waker and itself more than a small packet does, and little batches waste system calls
 * and envelopes. The packets of each kWindowUs are counted; while there were many, a turn of the loop begins kPauseUs after the one before at
 * the earliest. Request and answer, of which one waits for the other, never reach that rate, and an idle tunnel is not delayed at all.
 */
class Pacer {
 public:
  static constexpr uint64_t kWindowUs = 1000;
  /** Inner packets in one window, both directions: three quarters of a gigabit each second, or 64,000 small packets. */
  static constexpr uint64_t kBusyPackets = 64;
  static constexpr uint64_t kPauseUs = 50;

  /**
   * A turn has ended.
   * @param packets passed since start. @param beganUs when the turn began, on the clock of `nowUs`.
   * @returns microseconds to wait before the next one.
   */
  uint64_t PauseAfter(uint64_t packets, uint64_t beganUs, uint64_t nowUs) noexcept {
    if (nowUs - windowUs_ >= kWindowUs) {
      // A thread that slept through several windows was not busy.
      busy_ = packets - packets_ >= kBusyPackets && nowUs - windowUs_ < 2 * kWindowUs;
      packets_ = packets;
      windowUs_ = nowUs;
    }
    const uint64_t spentUs = nowUs - beganUs;
    return busy_ && spentUs < kPauseUs ? kPauseUs - spentUs : 0;
  }

 private:
  uint64_t windowUs_ = 0;
  uint64_t packets_ = 0;
  bool busy_ = false;
};

}  // namespace moat
