#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace moat {

static_assert(std::endian::native == std::endian::little, "big-endian processors are not supported");

/** Network byte order, unaligned. The caller has checked that the octets are there. */
inline uint16_t LoadBe16(const uint8_t* at) noexcept {
  uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap16(value);
}

inline uint32_t LoadBe32(const uint8_t* at) noexcept {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap32(value);
}

inline uint64_t LoadBe64(const uint8_t* at) noexcept {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return __builtin_bswap64(value);
}

inline void StoreBe16(uint8_t* at, uint16_t value) noexcept {
  value = __builtin_bswap16(value);
  std::memcpy(at, &value, sizeof value);
}

inline void StoreBe32(uint8_t* at, uint32_t value) noexcept {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, sizeof value);
}

inline void StoreBe64(uint8_t* at, uint64_t value) noexcept {
  value = __builtin_bswap64(value);
  std::memcpy(at, &value, sizeof value);
}

}  // namespace moat
