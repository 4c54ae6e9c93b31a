#pragma once

#include <cstdint>

namespace moat {

/** The header before each packet of a TUN with IFF_VNET_HDR: virtio 1.2 section 5.1.6, in the processor's byte order. */
struct OffloadHeader {
  static constexpr uint8_t kNeedsChecksum = 1;
  static constexpr uint8_t kNoGso = 0, kTcp4 = 1, kTcp6 = 4, kUdp = 5, kEcn = 0x80;

  uint8_t flags = 0;
  uint8_t gsoType = kNoGso;
  /** Octets of IP and transport header. */
  uint16_t headerLength = 0;
  /** Octets of payload in each segment. */
  uint16_t segmentLength = 0;
  /** Where the octets that the checksum covers begin, and where it is written, counted from there. */
  uint16_t checksumStart = 0;
  uint16_t checksumOffset = 0;

  bool IsSuperPacket() const noexcept { return gsoType != kNoGso; }
};

static_assert(sizeof(OffloadHeader) == 10);

}  // namespace moat
