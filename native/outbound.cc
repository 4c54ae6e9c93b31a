#include "outbound.h"

#include <algorithm>
#include <cstring>

#include "classify.h"
#include "icmp.h"
#include "mss.h"

namespace moat {
namespace {

/**
 * What one turn reads and sends, before what came in has its turn. It reads more than it sends, so that where there is too much the kernel's queue
 * stays short and ours, which is fair, grows.
 */
constexpr size_t kReadOctets = 512 << 10, kReadPackets = 512, kSendOctets = 256 << 10, kSendPackets = 256;

/** SAs whose open envelope waits for the next turn. */
constexpr size_t kMostCarried = SendQueue::kLanes / 2;

/** After so long without a packet the next one is taken to be alone. */
constexpr uint64_t kCalmUs = 1000;

/** RFC 1812 4.3.2.8: answers of ICMP are limited; this many in each interval. */
constexpr uint64_t kTooBigIntervalMs = 100;
constexpr uint32_t kTooBigPerInterval = 20;

/** With a delay, a packet up to this length ends a bunch: an acknowledgement, a request, the end of a burst. */
constexpr size_t kSmallPacket = 512;

/** The largest IKE message or inner packet that a block must hold, with everything around it, in whole cache lines. */
size_t BlockLength(size_t tunMtu) {
  const size_t largest = std::max(tunMtu, size_t{65535});
  return (esp::kHeadroom + largest + esp::kMaxTrailer + 63) / 64 * 64;
}

}  // namespace

Outbound::Outbound(const Parts& parts)
    : tun_(parts.tun),
      sockets_(parts.sockets),
      events_(parts.events),
      prober_(table_, *this),
      queue_(parts.sockets, counters_, *this, BlockLength(parts.tunMtu)),
      flows_(counters_, parts.seed) {
  touched_.reserve(SendQueue::kLanes);
  carried_.reserve(kMostCarried);
}

SocketKind Outbound::SocketOf(const OutboundSa& sa) const noexcept {
  const uint8_t family = sa.wirePath.Family();
  return sa.udpEncapsulation ? sockets_.UdpFor(family, sa.wirePath.LocalPort()) : Sockets::RawFor(family);
}

void Outbound::TakeTurn(uint64_t nowUs, bool again) noexcept {
  nowUs_ = nowUs;
  nowMs_ = nowUs / 1000;
  again_ = again;
  ReadTun(nowUs);
  if (!queue_.Blocked()) SendTurn(nowUs);
}

void Outbound::ReadTun(uint64_t nowUs) noexcept {
  const bool calm = nowUs - readUs_ >= kCalmUs && flows_.Empty();
  for (size_t octets = 0, count = 0; count < kReadPackets && octets < kReadOctets; count += 1) {
    const size_t length = ReadPacket(nowUs);
    if (length == 0) return;
    readUs_ = nowUs;
    octets += length;
    // Request and answer come alone. What comes as they do leaves without a look whether there is more: the next turn looks.
    if (calm && length <= kSmallPacket) return;
  }
}

/** Octets of the packet that was read; 0: none, or no room for one. */
size_t Outbound::ReadPacket(uint64_t nowUs) noexcept {
  const std::span<uint8_t> room = flows_.Room();
  OffloadHeader offload;
  const size_t length = room.empty() ? 0 : tun_.Read(room, offload);
  if (length == 0) return 0;
  const Drop drop = Queue(room.first(length), offload, nowUs);
  if (drop != Drop::kNone) counters_.Count(drop);
  return length;
}

Drop Outbound::Queue(std::span<uint8_t> packet, const OffloadHeader& offload, uint64_t nowUs) noexcept {
  IpView view;
  if (ParseIp(packet, view) != Drop::kNone || view.length != packet.size()) return Drop::kMalformed;
  const bool complete = offload.IsSuperPacket() || (offload.flags & OffloadHeader::kNeedsChecksum) == 0;
  if (!complete && !CompleteChecksum(packet, offload)) return Drop::kMalformed;
  flows_.Add(packet, view, offload, nowUs);
  return Drop::kNone;
}

void Outbound::SendTurn(uint64_t nowUs) noexcept {
  if (flows_.Empty() && carried_.empty()) return;
  for (OutboundSa* sa : carried_) Touch(*sa);
  carried_.clear();
  size_t octets = 0;
  for (size_t count = 0; count < kSendPackets && octets < kSendOctets && !queue_.Blocked(); count += 1) {
    FlowQueue::Packet* packet = flows_.Next(nowUs);
    if (packet == nullptr) break;
    octets += packet->octets.size();
    const Drop drop = SendPacket(*packet);
    if (drop != Drop::kNone) counters_.Count(drop);
    if (touched_.size() == SendQueue::kLanes) EndTouched();
  }
  EndTouched();
  queue_.Flush();
}

void Outbound::Touch(OutboundSa& sa) noexcept {
  if (!sa.touched) touched_.push_back(&sa);
  sa.touched = true;
}

void Outbound::EndTouched() noexcept {
  for (OutboundSa* sa : touched_) EndBatch(*sa);
  touched_.clear();
}

Drop Outbound::SendPacket(FlowQueue::Packet& waiting) noexcept {
  const std::span<uint8_t> packet = waiting.octets;
  const IpView& view = waiting.view;
  OutboundSa* sa = table_.Find(view);
  if (sa == nullptr) {
    Acquire(view);
    return Drop::kNoOutboundSa;
  }
  // Between moats each end clamps what it delivers, by its own path; a foreign peer may not, and its path is taken to be like ours.
  if (sa->clampMss && !sa->pathProbes) ClampMss(packet, view, sa->LargestInner());
  Touch(*sa);
  if (waiting.offload.IsSuperPacket()) return SendSegments(*sa, packet, view, waiting.offload);
  if (!sa->aggfrag) return SendPlain(*sa, {packet, {}}, view);
  Aggregate(*sa, {packet, {}}, view);
  return Drop::kNone;
}

Drop Outbound::SendSegments(OutboundSa& sa, std::span<uint8_t> packet, const IpView& view, const OffloadHeader& offload) noexcept {
  if (!segmenter_.Begin(packet, view, offload)) return Drop::kMalformed;
  if (sa.aggfrag) {
    while (segmenter_.NextLength() > 0) AggregateNext(sa, view);
    return Drop::kNone;
  }
  Segmenter::Segment segment;
  while (segmenter_.Next(segment)) {
    const Drop drop = SendPlain(sa, segment, view);
    if (drop != Drop::kNone) return drop;
  }
  return Drop::kNone;
}

/** Puts a packet into an envelope of its own. */
Drop Outbound::SendPlain(OutboundSa& sa, const Segmenter::Segment& packet, const IpView& view) noexcept {
  const size_t length = packet.header.size() + packet.body.size();
  if (sa.tellTooBig && length > sa.LargestInner()) {
    TellTooBig(sa, packet.header, view);
    const bool mayNotBeSplit = view.source.family == 6 || (packet.header[6] & 0x40) != 0;
    if (mayNotBeSplit) return Drop::kTooBig;
  }
  uint8_t* slot = queue_.Take(sa.lane, esp::SealedLength(length));
  uint8_t* at = slot + esp::kHeadroom;
  std::memcpy(at, packet.header.data(), packet.header.size());
  if (!packet.body.empty()) std::memcpy(at + packet.header.size(), packet.body.data(), packet.body.size());
  const Drop drop = esp::Seal(sa.sealer, {at, length}, view.source.family == 4 ? kIpv4 : kIpv6);
  if (drop != Drop::kNone) {
    queue_.Put(sa.lane);
    return drop;
  }
  CountSent(sa, length);
  Bump(sa.record->envelopes);
  queue_.Commit(sa.lane, {esp::SealedLength(length), sa.wirePath, SocketOf(sa), view.ecn});
  return Drop::kNone;
}

void Outbound::Aggregate(OutboundSa& sa, const Segmenter::Segment& packet, const IpView& view) noexcept {
  const size_t capacity = sa.EnvelopePayload();
  const auto take = [&] { return queue_.Take(sa.lane, esp::SealedLength(capacity)) + esp::kHeadroom; };
  const auto emit = [&](std::span<uint8_t> payload) { SealAndCommit(sa, payload); };
  sa.packer.Add(packet.header, packet.body, capacity, take, emit);
  Aggregated(sa, packet.header.size() + packet.body.size(), view);
}

/** The segmenter's next packet is made in the envelope itself; the rare one that must be split is made before. */
void Outbound::AggregateNext(OutboundSa& sa, const IpView& view) noexcept {
  const size_t capacity = sa.EnvelopePayload(), length = segmenter_.NextLength();
  const auto take = [&] { return queue_.Take(sa.lane, esp::SealedLength(capacity)) + esp::kHeadroom; };
  const auto emit = [&](std::span<uint8_t> payload) { SealAndCommit(sa, payload); };
  uint8_t* room = sa.packer.Room(length, capacity, take, emit);
  if (room == nullptr) {
    Segmenter::Segment segment;
    if (segmenter_.Next(segment)) Aggregate(sa, segment, view);
    return;
  }
  segmenter_.WriteNext(room);
  sa.packer.Written(emit);
  Aggregated(sa, length, view);
}

void Outbound::Aggregated(OutboundSa& sa, size_t length, const IpView& view) noexcept {
  sa.fresh = true;
  sa.endsSmall = length <= kSmallPacket || !view.hasPorts;
  CountSent(sa, length);
}

/** Seals an AGGFRAG payload, which lies in a slot or in the SA's own buffer. */
void Outbound::SealAndCommit(OutboundSa& sa, std::span<uint8_t> payload) noexcept {
  const size_t length = esp::SealedLength(payload.size());
  if (payload.data() - esp::kHeadroom == sa.held.data()) {
    uint8_t* slot = queue_.Take(sa.lane, length);
    std::memcpy(slot + esp::kHeadroom, payload.data(), payload.size());
    payload = {slot + esp::kHeadroom, payload.size()};
  }
  const Drop drop = esp::Seal(sa.sealer, payload, kAggfrag);
  if (drop != Drop::kNone) {
    counters_.Count(drop);
    queue_.Put(sa.lane);
    return;
  }
  Bump(sa.record->envelopes);
  sa.largeEnvelopes += length + sa.Overhead() > PathProber::LimitsOf(sa).smallest ? 1 : 0;
  queue_.Commit(sa.lane, {length, sa.wirePath, SocketOf(sa), 0, sa.DontFragment(), sa.tunnel});
}

void Outbound::CountSent(OutboundSa& sa, size_t length) noexcept {
  counters_.Passed(length);
  sa.state->sent.Add(length);
  Bump(sa.record->packets);
  Bump(sa.record->octets, length);
}

/** The turn is over: what is open leaves now, unless company may come in time. */
void Outbound::EndBatch(OutboundSa& sa) noexcept {
  sa.touched = false;
  if (sa.packer.IsOpen() && sa.aggregationDelayMs > 0 && !sa.endsSmall) {
    Hold(sa);
  } else if (sa.packer.IsOpen() && again_ && sa.fresh && !sa.endsSmall && carried_.size() < kMostCarried) {
    Carry(sa);
  } else {
    FinishOpen(sa);
  }
  sa.fresh = false;
  SaRecord& record = *sa.record;
  record.sequence.store(sa.sealer.sequence, std::memory_order_relaxed);
  record.lastPacketMs.store(nowMs_, std::memory_order_relaxed);
  sa.lastSentMs = nowMs_;
  if (sa.sealer.sequence >= sa.expiringAt && !sa.expiringPosted) {
    sa.expiringPosted = events_.Post(ExpiringEvent{sa.tunnel, sa.sealer.spi});
  }
  prober_.Sent(sa, sa.largeEnvelopes, nowMs_);
  sa.largeEnvelopes = 0;
}

void Outbound::TellTooBig(const OutboundSa& sa, std::span<const uint8_t> packet, const IpView& view) noexcept {
  if (nowMs_ >= nextTooBigMs_) {
    nextTooBigMs_ = nowMs_ + kTooBigIntervalMs;
    tooBigBudget_ = kTooBigPerInterval;
  }
  if (tooBigBudget_ == 0) return;
  tooBigBudget_ -= 1;
  uint8_t answer[kMaxIcmp];
  const size_t length = MakeTooBig(packet, view, sa.LargestInner(), answer);
  if (length > 0 && !tun_.Write({answer, length})) counters_.Count(Drop::kTunWriteFailed);
}

void Outbound::SendIke(std::span<const uint8_t> message, const Path& path) noexcept {
  const WirePath wirePath(path);
  const SocketKind socket = sockets_.UdpFor(wirePath.Family(), path.local.port);
  const size_t marker = IsIke(socket) ? 0 : kNonEspMarkerLength;
  if (marker + message.size() > queue_.BlockLength()) {
    counters_.Count(Drop::kSendFailed);
    return;
  }
  uint8_t* slot = queue_.Take(controlLane_, marker + message.size());
  std::memset(slot, 0, marker);
  std::memcpy(slot + marker, message.data(), message.size());
  queue_.Commit(controlLane_, {marker + message.size(), wirePath, socket});
  queue_.Flush();
}

}  // namespace moat
