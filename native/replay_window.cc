#include "replay_window.h"

#include <algorithm>

namespace moat {

ReplayWindow::ReplayWindow(size_t size) : words_(size / 64), mask_(size - 1) {}

bool ReplayWindow::Check(uint64_t sequence) const noexcept {
  if (sequence == 0) return false;
  if (sequence > highest_) return true;
  return highest_ - sequence <= mask_ && !Seen(sequence);
}

void ReplayWindow::PushOut(uint64_t entering) noexcept {
  if (entering > mask_ + 1 && !Seen(entering)) lost_ += 1;
  words_[(entering & mask_) / 64] &= ~(uint64_t{1} << (entering % 64));
}

void ReplayWindow::Accept(uint64_t sequence) noexcept {
  if (sequence > highest_) {
    const uint64_t size = mask_ + 1;
    const uint64_t jump = sequence - highest_;
    for (uint64_t step = 1; step <= std::min(jump, size); step += 1) PushOut(highest_ + step);
    // What lies between the old window and the new one was never in any.
    if (jump > size) lost_ += jump - size;
    highest_ = sequence;
  }
  words_[(sequence & mask_) / 64] |= uint64_t{1} << (sequence % 64);
}

uint64_t ReplayWindow::Extend(uint32_t low) const noexcept {
  const uint64_t size = mask_ + 1;
  const uint32_t topLow = static_cast<uint32_t>(highest_);
  const uint64_t topHigh = highest_ >> 32;
  const uint32_t bottomLow = topLow - static_cast<uint32_t>(size - 1);
  if (topLow >= size - 1) return (low >= bottomLow ? topHigh : topHigh + 1) << 32 | low;
  // The window spans two halves: its lower part belongs to the previous one.
  if (low < bottomLow) return topHigh << 32 | low;
  return topHigh == 0 ? 0 : (topHigh - 1) << 32 | low;
}

}  // namespace moat
