#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace moat {

/**
 * RFC 4303 3.4.3 over full 64-bit sequence numbers.
 *
 * Theory of operation: a ring of `size` bits; the bit of sequence number s is s mod size, so the number that leaves
 * the window when s enters it owns the very bit that s takes over. That makes "lost" exact: a number is
 * lost when it is pushed out while its bit is clear.
 */
class ReplayWindow {
 public:
  /** @param size a power of two of at least 64. */
  explicit ReplayWindow(size_t size);

  /** Whether `sequence` may still be new. Asked before authentication. */
  bool Check(uint64_t sequence) const noexcept;

  /** Marks `sequence`, which passed `Check`, as received. Called only after authentication. */
  void Accept(uint64_t sequence) noexcept;

  /** RFC 4303 appendix A2.2: the 64-bit number that `low` most likely stands for; 0 (never valid) when it would lie before the first. */
  uint64_t Extend(uint32_t low) const noexcept;

  uint64_t Highest() const noexcept { return highest_; }
  uint64_t Lost() const noexcept { return lost_; }

 private:
  bool Seen(uint64_t sequence) const noexcept { return (words_[(sequence & mask_) / 64] >> (sequence % 64) & 1) != 0; }
  void PushOut(uint64_t entering) noexcept;

  std::vector<uint64_t> words_;
  uint64_t mask_;
  uint64_t highest_ = 0;
  uint64_t lost_ = 0;
};

}  // namespace moat
