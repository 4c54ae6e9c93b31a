#pragma once

#include <cstdint>
#include <span>

#include "bytes.h"

namespace moat {

/** Adds octets to a ones' complement sum (RFC 1071); an odd last octet is the high half of a word. */
inline uint64_t AddToSum(uint64_t sum, std::span<const uint8_t> octets) noexcept {
  const uint8_t* at = octets.data();
  size_t left = octets.size();
  for (; left >= 4; left -= 4, at += 4) sum += LoadBe32(at);
  if (left >= 2) {
    sum += LoadBe16(at);
    at += 2;
    left -= 2;
  }
  if (left == 1) sum += uint64_t{*at} << 8;
  return sum;
}

/** The sum folded to 16 bits, not yet complemented. */
inline uint16_t FoldSum(uint64_t sum) noexcept {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

/** The checksum field after one 16-bit word under it has changed (RFC 1624, equation 3). */
inline uint16_t UpdatedChecksum(uint16_t checksum, uint16_t before, uint16_t after) noexcept {
  const uint64_t sum = uint64_t{static_cast<uint16_t>(~checksum)} + static_cast<uint16_t>(~before) + after;
  return static_cast<uint16_t>(~FoldSum(sum));
}

}  // namespace moat
