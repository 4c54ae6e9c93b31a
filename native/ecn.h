#pragma once

#include <cstdint>
#include <span>

#include "bytes.h"
#include "checksum.h"
#include "drop.h"

namespace moat::ecn {

inline constexpr uint8_t kNotEct = 0, kEct1 = 1, kEct0 = 2, kCongestionExperienced = 3;

/** RFC 6040 4.2, figure 4, by [inner][outer]; 0xff = drop. */
inline constexpr uint8_t kDrop = 0xff;
inline constexpr uint8_t kDecapsulated[4][4] = {
    // outer: Not-ECT, ECT(1), ECT(0), CE
    {kNotEct, kNotEct, kNotEct, kDrop},
    {kEct1, kEct1, kEct1, kCongestionExperienced},
    {kEct0, kEct1, kEct0, kCongestionExperienced},
    {kCongestionExperienced, kCongestionExperienced, kCongestionExperienced, kCongestionExperienced},
};

/** Writes the ECN bits of a valid IPv4 or IPv6 packet; the IPv4 header checksum is updated (RFC 1624). */
inline void Write(std::span<uint8_t> packet, uint8_t ecn) noexcept {
  uint8_t* at = packet.data();
  if ((at[0] >> 4) == 6) {
    at[1] = static_cast<uint8_t>((at[1] & 0xcf) | (ecn << 4));
    return;
  }
  const uint16_t before = LoadBe16(at);
  at[1] = static_cast<uint8_t>((at[1] & 0xfc) | ecn);
  StoreBe16(at + 10, UpdatedChecksum(LoadBe16(at + 10), before, LoadBe16(at)));
}

/** Carries congestion marks of the outer header inward. `inner` are the ECN bits of `packet`. */
inline Drop Decapsulate(std::span<uint8_t> packet, uint8_t inner, uint8_t outer) noexcept {
  const uint8_t result = kDecapsulated[inner & 3][outer & 3];
  if (result == kDrop) return Drop::kCongestionOnNotEct;
  if (result != inner) Write(packet, result);
  return Drop::kNone;
}

}  // namespace moat::ecn
