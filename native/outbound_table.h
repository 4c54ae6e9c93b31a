#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "route_table.h"
#include "sa.h"

namespace moat {

/**
 * The outbound SAs by tunnel. Of each tunnel at most one is active; it stands in the route table with its selectors.
 * An SA that waits for its inbound twin, or was superseded, stays until it is removed.
 */
class OutboundTable {
 public:
  /** An SPI that the tunnel has already is left as it is. */
  void Install(std::unique_ptr<OutboundSa> sa);
  void Activate(uint32_t tunnel, uint32_t spi);
  /** The inbound SA of this SPI has received its first authenticated packet. @returns the tunnel whose SA became active; 0 = none. */
  uint32_t InboundSeen(uint32_t inboundSpi);
  void Remove(uint32_t tunnel, uint32_t spi);

  /** The active SA whose selectors cover the packet, the narrowest remote prefix first; null: none. */
  OutboundSa* Find(const IpView& view) noexcept;

  /** Null: none. */
  OutboundSa* Active(uint32_t tunnel) const noexcept;

  void MovePath(uint32_t tunnel, const Path& path);
  /** Moves the path of a tunnel whose active SA follows its peer; whether it did. */
  bool PeerMoved(uint32_t tunnel, const Path& path);

  /** Calls `use(sa)` for every active SA. */
  template <typename Use>
  void ForEachActive(Use use) const {
    for (const auto& [id, tunnel] : tunnels_) {
      if (tunnel.active != nullptr) use(*tunnel.active);
    }
  }

 private:
  struct Tunnel {
    std::vector<std::unique_ptr<OutboundSa>> sas;
    OutboundSa* active = nullptr;
  };

  /** All that selectors look at. */
  struct Flow {
    explicit Flow(const IpView& view) noexcept
        : source(view.source),
          destination(view.destination),
          protocol(view.protocol),
          hasPorts(view.hasPorts),
          sourcePort(view.sourcePort),
          destinationPort(view.destinationPort) {}
    bool operator==(const Flow&) const noexcept = default;

    Address source, destination;
    uint8_t protocol;
    bool hasPorts;
    uint16_t sourcePort, destinationPort;
  };

  OutboundSa* LookUp(const IpView& view) const noexcept;
  void MakeActive(Tunnel& tunnel, OutboundSa* sa);
  /** Older SAs that still wait have been overtaken: they must not displace `sa` later. */
  void StopWaiting(const Tunnel& tunnel, const OutboundSa& sa);

  std::unordered_map<uint32_t, Tunnel> tunnels_;
  RouteTable routes_;
  /** Tunnel and outbound SPI, by the inbound SPI that they wait for. */
  struct Waiting {
    uint32_t inboundSpi;
    uint32_t tunnel;
    uint32_t spi;
  };
  std::vector<Waiting> waiting_;
  /** What was found last, for which flow: packets of one flow come in bunches. Null when something has changed since. */
  OutboundSa* last_ = nullptr;
  Flow lastFlow_{IpView{}};
};

}  // namespace moat
