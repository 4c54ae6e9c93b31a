#pragma once

#include <vector>

#include "outbound_table.h"

namespace moat {

/** Sends what the prober wants sent. */
class ProbeSender {
 public:
  virtual ~ProbeSender() = default;
  virtual void SendProbe(OutboundSa& sa, const Probe& probe, uint64_t nowMs) noexcept = 0;
};

/** Drives the path MTU searches of all tunnels whose peers answer probes. */
class PathProber {
 public:
  PathProber(OutboundTable& table, ProbeSender& sender) : table_(table), sender_(sender) {}

  /** The tunnel's active SA may be another one now. */
  void SaChanged(uint32_t tunnel, uint64_t nowMs) noexcept;
  /** The tunnel's path is another one: what was known of it is forgotten. */
  void PathChanged(uint32_t tunnel, uint64_t nowMs) noexcept;
  void Acknowledged(uint32_t tunnel, uint32_t id, uint64_t nowMs) noexcept;
  /** The interface refused an outer packet of `size` octets. */
  void TooLargeHere(uint32_t tunnel, size_t size, uint64_t nowMs) noexcept;
  /** @param largeEnvelopes how many that a smallest path would not carry were sent. */
  void Sent(OutboundSa& sa, uint64_t largeEnvelopes, uint64_t nowMs) noexcept;

  /** To be called at `WakeAt()`. */
  void Tick(uint64_t nowMs) noexcept;
  /** UINT64_MAX: no search is under way. */
  uint64_t WakeAt() const noexcept { return wakeAtMs_; }

  static PathMtu::Limits LimitsOf(const OutboundSa& sa) noexcept;

 private:
  void Settle(OutboundSa& sa, uint64_t nowMs) noexcept;

  OutboundTable& table_;
  ProbeSender& sender_;
  /** Tunnels with a round under way. */
  std::vector<uint32_t> searching_;
  uint64_t wakeAtMs_ = UINT64_MAX;
};

}  // namespace moat
