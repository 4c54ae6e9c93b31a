#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "atomic_counter.h"
#include "path_mtu.h"

namespace moat {

/** What all SAs of a tunnel share, through all rekeys. */
struct TunnelState {
  explicit TunnelState(uint32_t idIn) : id(idIn) {}

  const uint32_t id;

  struct Totals {
    std::atomic<uint64_t> packets = 0;
    std::atomic<uint64_t> octets = 0;

    void Add(size_t length) noexcept {
      Bump(packets);
      Bump(octets, length);
    }
  };

  /** Inner packets. */
  Totals received;
  Totals sent;
  /** Inbound sequence numbers that left the window unseen. */
  std::atomic<uint64_t> lost = 0;
  /** Of the last authenticated packet, on the monotonic clock; 0 = never. */
  std::atomic<uint64_t> lastReceivedMs = 0;

  /** Octets of the largest inner packet that TCP should send towards the peer; 0 = not known. */
  std::atomic<uint32_t> clampTo = 0;
  std::atomic<bool> aggfrag = false;
  /** Octets of the largest outer packet; 0 = no outbound SA has been active. */
  std::atomic<uint32_t> outerLimit = 0;
  std::atomic<uint32_t> envelopePayload = 0;
  /** When probing found or confirmed `outerLimit`; 0 = it did not. */
  std::atomic<uint64_t> foundMs = 0;
  std::atomic<bool> probed = false;
  std::atomic<bool> searching = false;
  std::atomic<uint64_t> blackHoles = 0;

  /** Belongs to the thread of the way out. */
  std::optional<PathMtu> pathMtu;
};

}  // namespace moat
