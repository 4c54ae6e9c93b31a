#pragma once

#include <cmath>
#include <cstdint>

namespace moat {

/**
 * CoDel (RFC 8289) for one queue, without the queue: tells whether the packet that is about to leave should be lost or marked instead.
 *
 * Theory of operation: as long as packets wait less than kTargetUs now and then, nothing happens. When all have waited longer through
 * kIntervalUs, one is taken out, and the next after ever shorter times, until the senders have understood.
 */
class Codel {
 public:
  static constexpr uint64_t kTargetUs = 5000, kIntervalUs = 100'000;

  /** Asked for every packet in turn. @param waitedUs by this packet. @param last nothing is behind it. */
  bool TakesOut(uint64_t waitedUs, bool last, uint64_t nowUs) noexcept {
    if (!Standing(waitedUs, last, nowUs)) {
      dropping_ = false;
      return false;
    }
    if (dropping_ && nowUs < nextUs_) return false;
    if (dropping_) {
      count_ += 1;
      nextUs_ += Gap();
      return true;
    }
    dropping_ = true;
    // RFC 8289 5.4: soon after the last time it goes on about where it was.
    const bool soon = nowUs < nextUs_ + 16 * kIntervalUs;
    count_ = soon && count_ - before_ > 1 ? count_ - before_ : 1;
    before_ = count_;
    nextUs_ = nowUs + Gap();
    return true;
  }

 private:
  /** The queue has not been short for a whole interval. */
  bool Standing(uint64_t waitedUs, bool last, uint64_t nowUs) noexcept {
    if (waitedUs < kTargetUs || last) {
      aboveUntilUs_ = 0;
      return false;
    }
    if (aboveUntilUs_ == 0) aboveUntilUs_ = nowUs + kIntervalUs;
    return nowUs >= aboveUntilUs_;
  }

  uint64_t Gap() const noexcept { return static_cast<uint64_t>(kIntervalUs / std::sqrt(static_cast<double>(count_))); }

  uint64_t aboveUntilUs_ = 0;
  uint64_t nextUs_ = 0;
  uint32_t count_ = 0;
  uint32_t before_ = 0;
  bool dropping_ = false;
};

}  // namespace moat
