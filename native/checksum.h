#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "bytes.h"

namespace moat {

/** The sum folded to 16 bits, not yet complemented. */
inline uint16_t FoldSum(uint64_t sum) noexcept {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

/** The same as `AddToSum`, best for headers. */
inline uint64_t AddShortToSum(uint64_t sum, std::span<const uint8_t> octets) noexcept {
  const uint8_t* at = octets.data();
  size_t left = octets.size();
  uint64_t low = 0, high = 0;
  for (; left >= 8; left -= 8, at += 8) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    low += static_cast<uint32_t>(word);
    high += word >> 32;
  }
  uint64_t last = 0;
  std::memcpy(&last, at, left);
  low += static_cast<uint32_t>(last);
  high += last >> 32;
  return sum + __builtin_bswap16(FoldSum((low & 0xffffffff) + (low >> 32) + (high & 0xffffffff) + (high >> 32)));
}

/** The same as `AddToSum`, best for bodies: with the widest vectors that the processor has. */
uint64_t AddLongToSum(uint64_t sum, std::span<const uint8_t> octets) noexcept;

/**
 * Adds octets to a ones' complement sum of big-endian words (RFC 1071); an odd last octet is the high half of a word. The sum is made in the
 * processor's own order, which gives the same with its octets swapped (RFC 1071 2B), in lanes without carries between.
 */
inline uint64_t AddToSum(uint64_t sum, std::span<const uint8_t> octets) noexcept {
  return octets.size() < 128 ? AddShortToSum(sum, octets) : AddLongToSum(sum, octets);
}

/** `AddToSum`, and copies the octets to `to` on the way: both together take less time than a copy alone. They do not overlap. */
uint64_t CopyAndAddToSum(uint64_t sum, std::span<const uint8_t> octets, uint8_t* to) noexcept;

/** The sum of the pseudo-header of TCP and UDP (RFC 9293 3.1, RFC 8200 8.1) of a valid IP packet. */
inline uint64_t PseudoHeaderSum(const uint8_t* ip, uint8_t protocol, size_t transportLength) noexcept {
  const bool ipv4 = ip[0] >> 4 == 4;
  return AddToSum(transportLength + protocol, ipv4 ? std::span(ip + 12, 8) : std::span(ip + 8, 32));
}

/** The checksum field after one 16-bit word under it has changed (RFC 1624, equation 3). */
inline uint16_t UpdatedChecksum(uint16_t checksum, uint16_t before, uint16_t after) noexcept {
  const uint64_t sum = uint64_t{static_cast<uint16_t>(~checksum)} + static_cast<uint16_t>(~before) + after;
  return static_cast<uint16_t>(~FoldSum(sum));
}

}  // namespace moat
