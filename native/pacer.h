#pragma once

#include <cstdint>

namespace moat {

/**
 * Tells a busy thread to let work gather instead of waking for every packet.
 *
 * Theory of operation: to wake a thread costs its waker and itself more than a small packet does, and little batches waste system calls
 * and envelopes. The packets of each kWindowUs are counted; while there were many, a turn of the loop begins kPauseUs after the one before at
 * the earliest, or kSmallPauseUs when they were small: of them it takes more to make a batch. Request and answer, of which one waits for the
 * other, never reach that rate, and an idle tunnel is not delayed at all.
 */
class Pacer {
 public:
  static constexpr uint64_t kWindowUs = 1000;
  /** Inner packets in one window, both directions: three quarters of a gigabit each second, or 64,000 small packets. */
  static constexpr uint64_t kBusyPackets = 64;
  static constexpr uint64_t kPauseUs = 350, kSmallPauseUs = 150;
  /** Octets of the mean packet of a window up to which they count as small. */
  static constexpr uint64_t kSmallPacket = 512;

  /** What has passed since start, both directions. */
  struct Passed {
    uint64_t packets = 0;
    uint64_t octets = 0;
  };

  /** Turns follow each other: there was much in the last window. */
  bool Busy() const noexcept { return pauseUs_ > 0; }

  /**
   * A turn has ended.
   * @param beganUs when the turn began, on the clock of `nowUs`.
   * @returns microseconds to wait before the next one.
   */
  uint64_t PauseAfter(const Passed& passed, uint64_t beganUs, uint64_t nowUs) noexcept {
    if (nowUs - windowUs_ >= kWindowUs) {
      const uint64_t packets = passed.packets - passed_.packets, octets = passed.octets - passed_.octets;
      // A thread that slept through several windows was not busy.
      const bool busy = packets >= kBusyPackets && nowUs - windowUs_ < 2 * kWindowUs;
      pauseUs_ = !busy ? 0 : octets <= packets * kSmallPacket ? kSmallPauseUs : kPauseUs;
      passed_ = passed;
      windowUs_ = nowUs;
    }
    const uint64_t spentUs = nowUs - beganUs;
    return spentUs < pauseUs_ ? pauseUs_ - spentUs : 0;
  }

 private:
  uint64_t windowUs_ = 0;
  Passed passed_;
  uint64_t pauseUs_ = 0;
};

}  // namespace moat
