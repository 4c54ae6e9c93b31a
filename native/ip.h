#pragma once

#include <cstdint>
#include <span>

#include "address.h"
#include "drop.h"

namespace moat {

/** Protocol numbers of IANA that the packet path has to know. */
inline constexpr uint8_t kIpv4 = 4, kTcp = 6, kUdp = 17, kIpv6 = 41, kNoNextHeader = 59, kAggfrag = 144;

inline constexpr size_t kIpv4HeaderLength = 20, kIpv6HeaderLength = 40;

/** What the tunnel has to know of an inner packet. */
struct IpView {
  Address source;
  Address destination;
  /** Octets of the packet by its own header; what stands behind it is padding. */
  size_t length = 0;
  /** Where the upper-layer header starts; equal to `length` when it is not in this packet. */
  size_t transportOffset = 0;
  /** Upper-layer protocol, behind IPv6 extension headers. */
  uint8_t protocol = 0;
  /** The two ECN bits. */
  uint8_t ecn = 0;
  /** Part of a fragmented packet. */
  bool fragment = false;
  /** Ports are known; of ICMP both are type and code as one number (RFC 4301 4.4.1.1). */
  bool hasPorts = false;
  uint16_t sourcePort = 0;
  uint16_t destinationPort = 0;
};

/**
 * Reads an IPv4 or IPv6 packet that may be followed by padding.
 * @returns kMalformed unless version, header length and total length fit each other and `bytes`; a jumbogram is malformed.
 */
Drop ParseIp(std::span<const uint8_t> bytes, IpView& view) noexcept;

}  // namespace moat
