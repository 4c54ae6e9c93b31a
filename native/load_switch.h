#pragma once

#include <cstdint>

namespace moat {

/**
 * On while there is lastingly much to do. No I/O.
 *
 * Theory of operation: of each window of kWindowUs is looked how much processor time was spent in it. Above `onAbove` through kWindows windows
 * switches it on, and below `offBelow` through as many off again.
 */
class LoadSwitch {
 public:
  /** Percent of the time of one processor. */
  struct Limits {
    unsigned onAbove;
    unsigned offBelow;
  };
  static constexpr uint64_t kWindowUs = 10'000;
  static constexpr unsigned kWindows = 3;

  explicit LoadSwitch(Limits limits) noexcept : limits_(limits) {}

  /** A window is over: time for `On`. */
  bool Due(uint64_t nowUs) const noexcept { return nowUs - beganUs_ >= kWindowUs; }

  /** @param spentUs of processor time since start. */
  bool On(uint64_t nowUs, uint64_t spentUs) noexcept {
    const uint64_t percent = (spentUs - spentUs_) * 100 / (nowUs - beganUs_);
    beganUs_ = nowUs;
    spentUs_ = spentUs;
    const bool wrong = on_ ? percent < limits_.offBelow : percent >= limits_.onAbove;
    against_ = wrong ? against_ + 1 : 0;
    if (against_ == kWindows) {
      on_ = !on_;
      against_ = 0;
    }
    return on_;
  }

 private:
  const Limits limits_;
  uint64_t beganUs_ = 0;
  uint64_t spentUs_ = 0;
  /** Windows in a row that spoke for the other position. */
  unsigned against_ = 0;
  bool on_ = false;
};

}  // namespace moat
