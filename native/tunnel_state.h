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
  /** Inbound sequence numbers that left the window unseen; those of the peer's search for a larger path are among them. */
  std::atomic<uint64_t> lost = 0;
  /** Probes of such searches that the peer has sent and that have not come. */
  std::atomic<uint64_t> searchesMissing = 0;
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

  /**
   * Without the probes: their numbers leave the window long after the peer has told of them. An SA that is removed in between hides as many
   * lost packets as its last search had probes.
   */
  uint64_t LostByPath() const noexcept {
    const uint64_t all = lost.load(std::memory_order_relaxed), probes = searchesMissing.load(std::memory_order_relaxed);
    return all > probes ? all - probes : 0;
  }

  /** Belongs to the thread of the way out. */
  std::optional<PathMtu> pathMtu;
};

}  // namespace moat
