#include "checksum.h"

namespace moat {
namespace {

/** Octets of one vector, and of one turn of the loop: two sums without a dependency between them. */
constexpr size_t kVector = 32, kTurn = 2 * kVector;

using Lanes = uint64_t __attribute__((vector_size(kVector)));

/**
 * The sum of the 32-bit words of whole turns, in the processor's order; they are copied to `to`, unless it is null. A lane overflows after 2^32
 * turns, which no packet has.
 */
__attribute__((always_inline)) inline uint64_t SumTurns(const uint8_t* at, size_t turns, uint8_t* to) noexcept {
  Lanes low{}, high{};
  for (; turns > 0; turns -= 1, at += kTurn) {
    Lanes a, b;
    std::memcpy(&a, at, kVector);
    std::memcpy(&b, at + kVector, kVector);
    if (to != nullptr) {
      std::memcpy(to, &a, kVector);
      std::memcpy(to + kVector, &b, kVector);
      to += kTurn;
    }
    low += (a & 0xffffffff) + (b & 0xffffffff);
    high += (a >> 32) + (b >> 32);
  }
  const Lanes sum = low + high;
  return sum[0] + sum[1] + sum[2] + sum[3];
}

#if defined(__x86_64__)
/* The addon is built for every x86-64 processor; what this one has is asked once. Before that was done, the slower way is right too. */
const bool kAvx2 = __builtin_cpu_supports("avx2") != 0;

__attribute__((target("avx2"))) uint64_t SumAvx2(const uint8_t* at, size_t turns) noexcept { return SumTurns(at, turns, nullptr); }
__attribute__((target("avx2"))) uint64_t CopyAvx2(const uint8_t* at, size_t turns, uint8_t* to) noexcept { return SumTurns(at, turns, to); }
#else
constexpr bool kAvx2 = false;
uint64_t SumAvx2(const uint8_t*, size_t) noexcept { return 0; }
uint64_t CopyAvx2(const uint8_t*, size_t, uint8_t*) noexcept { return 0; }
#endif

uint64_t FoldWords(uint64_t whole) noexcept { return __builtin_bswap16(FoldSum((whole & 0xffffffff) + (whole >> 32))); }

}  // namespace

uint64_t AddLongToSum(uint64_t sum, std::span<const uint8_t> octets) noexcept {
  const size_t turns = octets.size() / kTurn;
  const uint64_t whole = kAvx2 ? SumAvx2(octets.data(), turns) : SumTurns(octets.data(), turns, nullptr);
  return AddShortToSum(sum + FoldWords(whole), octets.subspan(turns * kTurn));
}

uint64_t CopyAndAddToSum(uint64_t sum, std::span<const uint8_t> octets, uint8_t* to) noexcept {
  const size_t turns = octets.size() / kTurn;
  const uint64_t whole = kAvx2 ? CopyAvx2(octets.data(), turns, to) : SumTurns(octets.data(), turns, to);
  const std::span<const uint8_t> rest = octets.subspan(turns * kTurn);
  if (!rest.empty()) std::memcpy(to + turns * kTurn, rest.data(), rest.size());
  return AddShortToSum(sum + FoldWords(whole), rest);
}

}  // namespace moat
