#include <algorithm>
#include <cstring>

#include "classify.h"
#include "outbound.h"
#include "probe_message.h"

/* What the way out does besides passing packets: SAs that come, go and are missed, envelopes that wait, probes, keepalives, time. */
namespace moat {
namespace {

constexpr uint64_t kAcquireIntervalMs = 1000;

/** No peer is behind an address that only one link knows, or many hosts share. */
bool WorthAcquiring(const Address& destination) {
  if (destination.family == 4) {
    const auto value = static_cast<uint32_t>(destination.value);
    return value >> 28 < 14 && value >> 16 != 0xa9fe;
  }
  const auto top = static_cast<uint16_t>(destination.value >> 112);
  return top >> 8 != 0xff && (top & 0xffc0) != 0xfe80;
}

}  // namespace

void Outbound::Install(std::unique_ptr<OutboundSa> sa, uint64_t nowMs) {
  const uint32_t tunnel = sa->tunnel;
  table_.Install(std::move(sa));
  prober_.SaChanged(tunnel, nowMs);
  queue_.Flush();
}

void Outbound::Activate(uint32_t tunnel, uint32_t spi, uint64_t nowMs) {
  table_.Activate(tunnel, spi);
  prober_.SaChanged(tunnel, nowMs);
  queue_.Flush();
}

void Outbound::InboundSeen(uint32_t inboundSpi, uint64_t nowMs) {
  const uint32_t tunnel = table_.InboundSeen(inboundSpi);
  if (tunnel != 0) prober_.SaChanged(tunnel, nowMs);
  queue_.Flush();
}

void Outbound::Remove(uint32_t tunnel, uint32_t spi) {
  const auto isIt = [&](const OutboundSa* sa) { return sa->tunnel == tunnel && sa->sealer.spi == spi; };
  for (const std::vector<OutboundSa*>* waiting : {&holding_, &carried_}) {
    for (OutboundSa* sa : *waiting) {
      if (isIt(sa)) FinishOpen(*sa);
    }
  }
  queue_.Flush();
  std::erase_if(holding_, isIt);
  std::erase_if(carried_, isIt);
  table_.Remove(tunnel, spi);
}

void Outbound::MovePath(uint32_t tunnel, const Path& path, uint64_t nowMs) {
  table_.MovePath(tunnel, path);
  prober_.PathChanged(tunnel, nowMs);
  queue_.Flush();
}

void Outbound::PeerMoved(uint32_t tunnel, const Path& path, uint64_t nowMs) {
  if (table_.PeerMoved(tunnel, path)) prober_.PathChanged(tunnel, nowMs);
  queue_.Flush();
}

void Outbound::Acquire(const IpView& view) noexcept {
  if (nowMs_ < nextAcquireMs_ || !WorthAcquiring(view.destination)) return;
  nextAcquireMs_ = nowMs_ + kAcquireIntervalMs;
  if (!events_.Post(AcquireEvent{view.source, view.destination, view.protocol})) counters_.Count(Drop::kQueueFull);
}

void Outbound::SendMessage(OutboundSa& sa, size_t payloadLength, const ProbeMessage& message, bool probe) noexcept {
  const size_t sealed = esp::SealedLength(payloadLength);
  // Not in the SA's own lane, where an envelope may be open.
  uint8_t* slot = queue_.Take(controlLane_, sealed);
  const std::span<uint8_t> payload(slot + esp::kHeadroom, payloadLength);
  WriteProbeMessage(payload, message);
  const Drop drop = esp::Seal(sa.sealer, payload, kAggfrag);
  if (drop != Drop::kNone) {
    counters_.Count(drop);
    queue_.Put(controlLane_);
    return;
  }
  queue_.Commit(controlLane_, {sealed, sa.wirePath, SocketOf(sa), 0, probe, sa.tunnel, probe});
}

void Outbound::SendProbe(OutboundSa& sa, const Probe& probe, uint64_t nowMs) noexcept {
  sa.lastSentMs = nowMs;
  if (probe.search) sa.searches += 1;
  const auto kind = probe.search ? ProbeMessage::Kind::kSearch : ProbeMessage::Kind::kVerify;
  SendMessage(sa, esp::PayloadThatFits(probe.size - sa.Overhead()), {kind, probe.id, sa.searches}, true);
}

void Outbound::ProbeArrived(uint32_t tunnel, uint32_t id, uint64_t nowMs) noexcept {
  OutboundSa* sa = table_.Active(tunnel);
  if (sa == nullptr || !sa->pathProbes) return;
  sa->lastSentMs = nowMs;
  SendMessage(*sa, aggfrag::kHeaderLength + ProbeMessage::kLength, {ProbeMessage::Kind::kAcknowledgement, id, sa->searches}, false);
  queue_.Flush();
}

void Outbound::ProbeAcknowledged(uint32_t tunnel, uint32_t id, uint64_t nowMs) noexcept {
  prober_.Acknowledged(tunnel, id, nowMs);
  queue_.Flush();
}

void Outbound::TooLargeHere(uint32_t tunnel, size_t length) noexcept {
  const OutboundSa* sa = table_.Active(tunnel);
  if (sa != nullptr) prober_.TooLargeHere(tunnel, length + sa->Overhead(), nowMs_);
}

void Outbound::FinishOpen(OutboundSa& sa) noexcept {
  sa.packer.Finish([&](std::span<uint8_t> payload) { SealAndCommit(sa, payload); });
  sa.heldUntilUs = 0;
}

/** Keeps the open envelope until its time has come. */
void Outbound::Hold(OutboundSa& sa) noexcept {
  if (sa.heldUntilUs == 0) {
    sa.heldUntilUs = nowUs_ + uint64_t{sa.aggregationDelayMs} * 1000;
    holding_.push_back(&sa);
  }
  MoveToHeld(sa);
}

/** Keeps it for the next turn: in bulk something mostly comes, and the last envelope of each turn would leave half empty. */
void Outbound::Carry(OutboundSa& sa) noexcept {
  carried_.push_back(&sa);
  MoveToHeld(sa);
}

/** From the slot, which others need, into the SA's own buffer. */
void Outbound::MoveToHeld(OutboundSa& sa) noexcept {
  const std::span<uint8_t> open = sa.packer.Open();
  uint8_t* slot = open.data() - esp::kHeadroom;
  if (slot == sa.held.data()) return;
  sa.held.resize(std::max(sa.held.size(), esp::SealedLength(sa.packer.Capacity())));
  std::memcpy(sa.held.data() + esp::kHeadroom, open.data(), open.size());
  sa.packer.MoveTo(sa.held.data() + esp::kHeadroom);
  queue_.Put(sa.lane);
}

uint64_t Outbound::WakeAt() const noexcept {
  uint64_t wakeAt = prober_.WakeAt() == UINT64_MAX ? UINT64_MAX : prober_.WakeAt() * 1000;
  for (const OutboundSa* sa : holding_) {
    if (sa->heldUntilUs != 0) wakeAt = std::min(wakeAt, sa->heldUntilUs);
  }
  return wakeAt;
}

void Outbound::Tick(uint64_t nowUs) noexcept {
  nowUs_ = nowUs;
  nowMs_ = nowUs / 1000;
  for (OutboundSa* sa : holding_) {
    if (sa->heldUntilUs != 0 && nowUs >= sa->heldUntilUs) FinishOpen(*sa);
  }
  std::erase_if(holding_, [](const OutboundSa* sa) { return sa->heldUntilUs == 0; });
  prober_.Tick(nowMs_);
  queue_.Flush();
}

void Outbound::Keepalives(uint64_t nowMs) noexcept {
  table_.ForEachActive([&](OutboundSa& sa) {
    if (sa.keepaliveSeconds == 0 || !sa.udpEncapsulation) return;
    if (nowMs - sa.lastSentMs < uint64_t{sa.keepaliveSeconds} * 1000) return;
    sa.lastSentMs = nowMs;
    *queue_.Take(controlLane_, 1) = kKeepaliveOctet;
    queue_.Commit(controlLane_, {1, sa.wirePath, SocketOf(sa)});
  });
  queue_.Flush();
}

}  // namespace moat
