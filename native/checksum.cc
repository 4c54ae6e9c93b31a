#include "checksum.h"

namespace moat {
namespace {

/** Octets of one vector, and of one turn of the loop: two sums without a dependency between them. */
constexpr size_t kVector = 32, kTurn = 2 * kVector;

using Lanes = uint64_t __attribute__((vector_size(kVector)));

/** The sum of the 32-bit words of whole turns, in the processor's order. A lane overflows after 2^32 turns, which no packet has. */
__attribute__((always_inline)) inline uint64_t SumTurns(const uint8_t* at, size_t turns) noexcept {
  Lanes low{}, high{};
  for (; turns > 0; turns -= 1, at += kTurn) {
    Lanes a, b;
    std::memcpy(&a, at, kVector);
    std::memcpy(&b, at + kVector, kVector);
    low += (a & 0xffffffff) + (b & 0xffffffff);
    high += (a >> 32) + (b >> 32);
  }
  const Lanes sum = low + high;
  return sum[0] + sum[1] + sum[2] + sum[3];
}

#if defined(__x86_64__)
/* The addon is built for every x86-64 processor; what this one has is asked once. Before that was done, the slower way is right too. */
const bool kAvx2 = __builtin_cpu_supports("avx2") != 0;

__attribute__((target("avx2"))) uint64_t SumTurnsAvx2(const uint8_t* at, size_t turns) noexcept { return SumTurns(at, turns); }

uint64_t SumTurnsHere(const uint8_t* at, size_t turns) noexcept { return kAvx2 ? SumTurnsAvx2(at, turns) : SumTurns(at, turns); }
#else
uint64_t SumTurnsHere(const uint8_t* at, size_t turns) noexcept { return SumTurns(at, turns); }
#endif

}  // namespace

uint64_t AddLongToSum(uint64_t sum, std::span<const uint8_t> octets) noexcept {
  const size_t turns = octets.size() / kTurn;
  const uint64_t whole = SumTurnsHere(octets.data(), turns);
  const uint16_t folded = FoldSum((whole & 0xffffffff) + (whole >> 32));
  return AddShortToSum(sum + __builtin_bswap16(folded), octets.subspan(turns * kTurn));
}

}  // namespace moat
