#pragma once

#include "ip.h"

namespace moat {

/** Octets of an IP and a TCP header without options; MSS is what an inner packet has besides (RFC 9293 3.7.1). */
inline constexpr size_t kMssOverhead4 = 40, kMssOverhead6 = 60;

/** The MSS of packets of at most `largestPacket` octets; at least 1. */
constexpr uint16_t MssFor(size_t largestPacket, uint8_t family) noexcept {
  const size_t overhead = family == 4 ? kMssOverhead4 : kMssOverhead6;
  return static_cast<uint16_t>(largestPacket > overhead + 65535 ? 65535 : largestPacket > overhead ? largestPacket - overhead : 1);
}

/**
 * Lowers the MSS option of a SYN or SYN-ACK so that packets fit `largestPacket` octets, and corrects the checksum. Never raises
 * it, never adds one (a missing option means 536 or 1220), and leaves other options and what is malformed alone.
 * @returns whether the packet was changed.
 */
bool ClampMss(std::span<uint8_t> packet, const IpView& view, size_t largestPacket) noexcept;

}  // namespace moat
