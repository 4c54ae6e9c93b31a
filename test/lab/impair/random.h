#pragma once

#include <cstdint>

namespace impair {

/// xorshift64*: small, fast and the same on every machine, so that a seed replays a run's decisions.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(Scramble(seed)) {}

  uint64_t Next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1Du;
  }

  /// Uniform in [0, 1).
  double Share() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

  /// True with the given probability. Draws nothing at 0, so that an unused knob does not shift the sequence.
  bool Chance(double probability) { return probability > 0 && Share() < probability; }

 private:
  /// SplitMix64: from a small seed xorshift would draw small numbers for a while, and lose the first packets of every run.
  static uint64_t Scramble(uint64_t seed) {
    uint64_t z = seed + 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return z == 0 ? 1 : z;
  }

  uint64_t state_;
};

}  // namespace impair
