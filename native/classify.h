#pragma once

#include <cstdint>
#include <span>

#include "bytes.h"

namespace moat {

/** What a UDP datagram is by its first octets (RFC 3948 2). */
enum class Datagram : uint8_t { kIke, kEsp, kKeepalive, kMalformed };

inline constexpr size_t kNonEspMarkerLength = 4, kIkeHeaderLength = 28;
inline constexpr uint8_t kKeepaliveOctet = 0xff;

/** On the IKE port (500) there is nothing but IKE, without a marker. */
inline Datagram ClassifyIkePort(std::span<const uint8_t> datagram) noexcept {
  return datagram.size() < kIkeHeaderLength ? Datagram::kMalformed : Datagram::kIke;
}

/** On the NAT traversal port (4500); IKE starts behind the marker. */
inline Datagram ClassifyNatTraversalPort(std::span<const uint8_t> datagram) noexcept {
  if (datagram.size() == 1 && datagram[0] == kKeepaliveOctet) return Datagram::kKeepalive;
  if (datagram.size() < kNonEspMarkerLength) return Datagram::kMalformed;
  if (LoadBe32(datagram.data()) != 0) return Datagram::kEsp;
  return ClassifyIkePort(datagram.subspan(kNonEspMarkerLength)) == Datagram::kIke ? Datagram::kIke : Datagram::kMalformed;
}

}  // namespace moat
