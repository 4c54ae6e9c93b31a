#include "path_prober.h"

#include <algorithm>

namespace moat {

PathMtu::Limits PathProber::LimitsOf(const OutboundSa& sa) noexcept {
  // RFC 791: every IPv4 host takes 576 octets; RFC 8200 5: every IPv6 link carries 1280.
  constexpr uint16_t kSmallest4 = 576, kSmallest6 = 1280, kLargest = 9000;
  return {sa.path.remote.address.family == 4 ? kSmallest4 : kSmallest6, kLargest};
}

void PathProber::SaChanged(uint32_t tunnel, uint64_t nowMs) noexcept {
  OutboundSa* sa = table_.Active(tunnel);
  if (sa == nullptr) return;
  if (!sa->pathProbes) sa->state->pathMtu.reset();
  if (sa->pathProbes && !sa->state->pathMtu) sa->state->pathMtu.emplace(LimitsOf(*sa), nowMs);
  Settle(*sa, nowMs);
}

void PathProber::PathChanged(uint32_t tunnel, uint64_t nowMs) noexcept {
  OutboundSa* sa = table_.Active(tunnel);
  if (sa == nullptr) return;
  if (sa->state->pathMtu) sa->state->pathMtu->Restart(LimitsOf(*sa), nowMs);
  Settle(*sa, nowMs);
}

void PathProber::Acknowledged(uint32_t tunnel, uint32_t id, uint64_t nowMs) noexcept {
  OutboundSa* sa = table_.Active(tunnel);
  if (sa == nullptr || !sa->state->pathMtu) return;
  sa->state->pathMtu->Acknowledged(id, nowMs);
  Settle(*sa, nowMs);
}

void PathProber::TooLargeHere(uint32_t tunnel, size_t size, uint64_t nowMs) noexcept {
  OutboundSa* sa = table_.Active(tunnel);
  if (sa == nullptr || !sa->state->pathMtu) return;
  sa->state->pathMtu->TooLargeHere(static_cast<uint16_t>(std::min(size, size_t{UINT16_MAX})), nowMs);
  // Called while envelopes are being sent: what follows from it waits for the next tick.
  if (std::find(searching_.begin(), searching_.end(), tunnel) == searching_.end()) searching_.push_back(tunnel);
  wakeAtMs_ = nowMs;
}

void PathProber::Sent(OutboundSa& sa, uint64_t largeEnvelopes, uint64_t nowMs) noexcept {
  if (!sa.state->pathMtu) return;
  const bool idle = sa.state->pathMtu->WakeAt() == UINT64_MAX;
  sa.state->pathMtu->Sent(largeEnvelopes, nowMs);
  if (idle && sa.state->pathMtu->WakeAt() != UINT64_MAX) Settle(sa, nowMs);
}

/** Sends the probes that are due, and keeps the tunnel in mind while a round is under way. */
void PathProber::Settle(OutboundSa& sa, uint64_t nowMs) noexcept {
  if (sa.state->pathMtu) {
    PathMtu& pathMtu = *sa.state->pathMtu;
    Probe probe;
    while (pathMtu.NextProbe(probe, nowMs)) sender_.SendProbe(sa, probe, nowMs);
    const auto known = std::find(searching_.begin(), searching_.end(), sa.tunnel);
    if (pathMtu.WakeAt() != UINT64_MAX && known == searching_.end()) searching_.push_back(sa.tunnel);
    wakeAtMs_ = std::min(wakeAtMs_, pathMtu.WakeAt());
  }
  sa.Publish();
}

void PathProber::Tick(uint64_t nowMs) noexcept {
  if (nowMs < wakeAtMs_) return;
  wakeAtMs_ = UINT64_MAX;
  for (size_t i = 0; i < searching_.size();) {
    OutboundSa* sa = table_.Active(searching_[i]);
    const bool probed = sa != nullptr && sa->state->pathMtu;
    if (probed) {
      sa->state->pathMtu->Tick(nowMs);
      Settle(*sa, nowMs);
    }
    if (probed && sa->state->pathMtu->WakeAt() != UINT64_MAX) {
      i += 1;
    } else {
      searching_[i] = searching_.back();
      searching_.pop_back();
    }
  }
}

}  // namespace moat
