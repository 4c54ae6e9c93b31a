#pragma once

#include <span>
#include <vector>

#include "ip.h"

namespace moat {

/** RFC 7296 3.13.1. Protocol 0 = any; ports 0 to 65535 = any; first port above last = OPAQUE, only packets without ports. */
struct Selector {
  Address start;
  Address end;
  uint8_t protocol = 0;
  uint16_t startPort = 0;
  uint16_t endPort = 65535;

  bool operator==(const Selector&) const noexcept = default;
};

using Selectors = std::vector<Selector>;

/** One end of a packet, as a selector sees it. */
struct PacketEnd {
  const Address& address;
  uint16_t port;
};

bool Covers(std::span<const Selector> selectors, const IpView& view, PacketEnd end) noexcept;

/** From us to the peer: the source is in `local`, the destination in `remote`. */
inline bool CoversOutbound(std::span<const Selector> local, std::span<const Selector> remote, const IpView& view) noexcept {
  return Covers(remote, view, {view.destination, view.destinationPort}) && Covers(local, view, {view.source, view.sourcePort});
}

/** From the peer to us. */
inline bool CoversInbound(std::span<const Selector> local, std::span<const Selector> remote, const IpView& view) noexcept {
  return Covers(remote, view, {view.source, view.sourcePort}) && Covers(local, view, {view.destination, view.destinationPort});
}

}  // namespace moat
