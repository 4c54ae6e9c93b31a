#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "bytes.h"

namespace moat {

using uint128 = unsigned __int128;

/** An IPv4 or IPv6 address as a number, so that ranges and prefixes are comparisons. */
struct Address {
  uint128 value = 0;
  /** 4, 6, or 0 for none. */
  uint8_t family = 0;

  bool operator==(const Address&) const noexcept = default;

  /** All zeros: "any" as a local address. */
  bool Unspecified() const noexcept { return value == 0; }
};

struct Endpoint {
  Address address;
  uint16_t port = 0;

  bool operator==(const Endpoint&) const noexcept = default;
};

/** From where to where a datagram goes, seen from this machine. */
struct Path {
  Endpoint local;
  Endpoint remote;

  bool operator==(const Path&) const noexcept = default;
};

inline Address LoadAddress4(const uint8_t* at) noexcept { return {LoadBe32(at), 4}; }

inline Address LoadAddress6(const uint8_t* at) noexcept {
  return {static_cast<uint128>(LoadBe64(at)) << 64 | LoadBe64(at + 8), 6};
}

inline void StoreAddress6(uint8_t* at, const Address& address) noexcept {
  StoreBe64(at, static_cast<uint64_t>(address.value >> 64));
  StoreBe64(at + 8, static_cast<uint64_t>(address.value));
}

/** Bits of an address of the family. */
inline unsigned FamilyBits(uint8_t family) noexcept { return family == 4 ? 32 : 128; }

/** False unless `text` is a plain IPv4 or IPv6 address. */
bool ParseAddress(const std::string& text, Address& address);

/** Canonical text: dotted, or RFC 5952. */
std::string FormatAddress(const Address& address);

}  // namespace moat
