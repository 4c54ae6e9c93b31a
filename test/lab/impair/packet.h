#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace impair {

using Bytes = std::vector<uint8_t>;

inline uint16_t Load16(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }
inline void Store16(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

/// What a router sees of a packet without reassembling it.
struct IpView {
  int version = 0;
  uint8_t protocol = 0;       ///< of the payload, behind IPv6 extension headers
  size_t header_length = 0;   ///< IPv4 header with options, or IPv6 header with extension headers
  bool may_fragment = false;  ///< IPv4 without DF
  bool fragment = false;  ///< the first one or a later one
  bool later_fragment = false;
  uint16_t source_port = 0;  ///< 0 when the protocol has none or this is a later fragment
  uint16_t destination_port = 0;
};

/// Nothing for what is neither IPv4 nor IPv6 or is shorter than its header says.
std::optional<IpView> ParseIp(std::span<const uint8_t> packet);

/// RFC 1071, over `octets` and a starting sum (for pseudo headers).
uint16_t Checksum(std::span<const uint8_t> octets, uint32_t sum = 0);

/// Gives back the hop that steering the packet through this process cost, so that it looks like one router.
void RestoreHop(std::span<uint8_t> packet);

/// RFC 791: the pieces of an IPv4 packet, each at most `mtu` octets. Needs 28 <= mtu.
std::vector<Bytes> Fragment(std::span<const uint8_t> packet, size_t mtu);

/// RFC 1191 / RFC 8200 "too big" about `packet`, from a router that has no other address than 192.0.2.1 or 2001:db8::1.
Bytes TooBig(std::span<const uint8_t> packet, const IpView& view, uint32_t mtu);

/// RFC 1122 3.2.2: no ICMP error about an ICMP error, a later fragment or a multicast.
bool MayCauseError(std::span<const uint8_t> packet, const IpView& view);

}  // namespace impair
