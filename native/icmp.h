#pragma once

#include "ip.h"

namespace moat {

/** The largest answer: RFC 4443 3.2 fills up to the minimum MTU. */
inline constexpr size_t kMaxIcmp = 1280;

/**
 * "Too big" for the sender of `packet`: ICMP type 3 code 4 with RFC 1191's MTU, or ICMPv6 type 2. It comes from the address that the packet was
 * sent to, since the tunnel has none of its own.
 * @param mtu what would have fitted; of IPv6 at least 1280 is said.
 * @param out room for kMaxIcmp octets.
 * @returns octets of the answer; 0 when there must be none: IPv4 without DF, a later fragment, an ICMP error, a multicast or unspecified
 * address (RFC 1122 3.2.2, RFC 4443 2.4).
 */
size_t MakeTooBig(std::span<const uint8_t> packet, const IpView& view, size_t mtu, std::span<uint8_t> out) noexcept;

}  // namespace moat
