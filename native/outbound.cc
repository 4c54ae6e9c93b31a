#include "outbound.h"

#include <algorithm>
#include <cstring>

#include "classify.h"

namespace moat {
namespace {

constexpr uint64_t kAcquireIntervalMs = 1000;

/** The largest IKE message or inner packet that a buffer must hold, with everything around it, in whole cache lines. */
size_t SlotLength(size_t tunMtu) {
  const size_t largest = std::max(tunMtu, size_t{65535});
  return (esp::kHeadroom + largest + esp::kMaxTrailer + 63) / 64 * 64;
}

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

Outbound::Outbound(const Parts& parts)
    : tun_(parts.tun),
      sockets_(parts.sockets),
      events_(parts.events),
      queue_(parts.sockets, counters_, SlotLength(parts.tunMtu)) {}

SocketKind Outbound::SocketOf(const OutboundSa& sa) const noexcept {
  const uint8_t family = sa.wirePath.Family();
  return sa.udpEncapsulation ? sockets_.UdpFor(family, sa.wirePath.LocalPort()) : Sockets::RawFor(family);
}

void Outbound::TunReadable(uint64_t nowMs) noexcept {
  for (size_t count = 0; count < SendQueue::kEnvelopes; count += 1) {
    const std::span<uint8_t> slot = queue_.Slot();
    const size_t length = tun_.Read(slot.subspan(esp::kHeadroom, slot.size() - esp::kHeadroom - esp::kMaxTrailer));
    if (length == 0) break;
    const Drop drop = SendPacket(slot.subspan(esp::kHeadroom, length), nowMs);
    if (drop != Drop::kNone) counters_.Count(drop);
  }
  queue_.Flush();
}

Drop Outbound::SendPacket(std::span<uint8_t> packet, uint64_t nowMs) noexcept {
  IpView view;
  if (ParseIp(packet, view) != Drop::kNone || view.length != packet.size()) return Drop::kMalformed;
  OutboundSa* sa = table_.Find(view);
  if (sa == nullptr) {
    Acquire(view, nowMs);
    return Drop::kNoOutboundSa;
  }
  const Drop drop = esp::Seal(sa->sealer, packet, view.source.family == 4 ? kIpv4 : kIpv6);
  if (drop != Drop::kNone) return drop;
  queue_.Commit({{packet.data() - esp::kHeadroom, esp::SealedLength(packet.size())}, sa->wirePath, SocketOf(*sa), view.ecn});
  counters_.Passed(packet.size());
  SaRecord& record = *sa->record;
  Bump(record.packets);
  Bump(record.octets, packet.size());
  record.sequence.store(sa->sealer.sequence, std::memory_order_relaxed);
  record.lastPacketMs.store(nowMs, std::memory_order_relaxed);
  if (sa->sealer.sequence >= sa->expiringAt && !sa->expiringPosted) {
    sa->expiringPosted = events_.Post(ExpiringEvent{sa->tunnel, sa->sealer.spi});
  }
  return Drop::kNone;
}

void Outbound::Acquire(const IpView& view, uint64_t nowMs) noexcept {
  if (nowMs < nextAcquireMs_ || !WorthAcquiring(view.destination)) return;
  nextAcquireMs_ = nowMs + kAcquireIntervalMs;
  if (!events_.Post(AcquireEvent{view.source, view.destination, view.protocol})) counters_.Count(Drop::kQueueFull);
}

void Outbound::SendIke(std::span<const uint8_t> message, const Path& path) noexcept {
  const WirePath wirePath(path);
  const SocketKind socket = sockets_.UdpFor(wirePath.Family(), path.local.port);
  const size_t marker = IsIke(socket) ? 0 : kNonEspMarkerLength;
  const std::span<uint8_t> slot = queue_.Slot();
  if (marker + message.size() > slot.size()) {
    counters_.Count(Drop::kSendFailed);
    return;
  }
  std::memset(slot.data(), 0, marker);
  std::memcpy(slot.data() + marker, message.data(), message.size());
  queue_.Commit({slot.first(marker + message.size()), wirePath, socket, 0});
  queue_.Flush();
}

void Outbound::SendKeepalive(const OutboundSa& sa) noexcept {
  const std::span<uint8_t> slot = queue_.Slot();
  slot[0] = kKeepaliveOctet;
  queue_.Commit({slot.first(1), sa.wirePath, SocketOf(sa), 0});
}

void Outbound::Tick(uint64_t nowMs) noexcept {
  table_.ForEachActive([&](OutboundSa& sa) {
    if (sa.keepaliveSeconds == 0 || !sa.udpEncapsulation) return;
    const uint64_t last = std::max(sa.record->lastPacketMs.load(std::memory_order_relaxed), sa.lastKeepaliveMs);
    if (nowMs - last < uint64_t{sa.keepaliveSeconds} * 1000) return;
    sa.lastKeepaliveMs = nowMs;
    SendKeepalive(sa);
  });
  queue_.Flush();
}

}  // namespace moat
