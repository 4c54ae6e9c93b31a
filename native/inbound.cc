#include "inbound.h"

#include <algorithm>
#include <cerrno>

#include "classify.h"
#include "ecn.h"
#include "mss.h"
#include "probe_message.h"
#include "wire_path.h"

namespace moat {
namespace {

/** A raw IPv4 socket shows the IP header (raw(7)), a raw IPv6 socket does not. */
std::span<uint8_t> WithoutIpv4Header(std::span<uint8_t> bytes) noexcept {
  if (bytes.size() < kIpv4HeaderLength) return {};
  const size_t headerLength = size_t{bytes[0] & 0x0fu} * 4;
  return headerLength > bytes.size() ? std::span<uint8_t>{} : bytes.subspan(headerLength);
}

/** Packets that may be incomplete at one time, of all tunnels together. */
constexpr size_t kIncompletePackets = 2048;

/** SAs that one tick looks at: under a millisecond, should all have something to give up. */
constexpr size_t kSwept = 512;

}  // namespace

Inbound::Inbound(const Parts& parts)
    : tun_(parts.tun), sockets_(parts.sockets), events_(parts.events), notices_(parts.notices), coalescer_(*this, parts.tun.UdpOffloads()), pool_(kIncompletePackets) {}

void Inbound::Install(std::unique_ptr<InboundSa> sa) {
  const uint32_t spi = sa->opener.spi;
  if (sa->aggfrag) sa->reassembly = std::make_unique<aggfrag::Reassembly>(pool_);
  sas_.try_emplace(spi, std::move(sa));
}

void Inbound::Remove(uint32_t spi) {
  last_ = nullptr;
  sas_.erase(spi);
}

/** Envelopes of one SA come in bunches. */
InboundSa* Inbound::Find(uint32_t spi) noexcept {
  if (last_ != nullptr && last_->opener.spi == spi) return last_;
  const auto found = sas_.find(spi);
  last_ = found == sas_.end() ? nullptr : found->second.get();
  return last_;
}

void Inbound::Tick(uint64_t nowMs) noexcept {
  for (size_t looked = std::min(keeping_.size(), kSwept); looked > 0; looked -= 1) {
    nextSwept_ = nextSwept_ + 1 < keeping_.size() ? nextSwept_ + 1 : 0;
    const auto found = sas_.find(keeping_[nextSwept_]);
    if (found != sas_.end()) found->second->reassembly->Sweep(nowMs);
    if (found != sas_.end() && found->second->reassembly->HasRing()) continue;
    if (found != sas_.end()) found->second->keeping = false;
    keeping_[nextSwept_] = keeping_.back();
    keeping_.pop_back();
    if (keeping_.empty()) return;
  }
}

void Inbound::Readable(SocketKind kind, uint64_t nowMs) noexcept {
  const size_t count = batch_.Receive(sockets_.Descriptor(kind));
  for (size_t i = 0; i < count; i += 1) {
    const Received received = batch_.At(i, sockets_.Port(kind));
    std::span<uint8_t> left = received.bytes;
    do {
      const std::span<uint8_t> datagram = left.first(std::min(left.size(), received.datagramLength));
      left = left.subspan(datagram.size());
      const Drop drop = Receive(kind, datagram, received, nowMs);
      if (drop != Drop::kNone) counters_.Count(drop);
    } while (!left.empty());
  }
  coalescer_.Flush();
  pool_.Recycle();
}

Drop Inbound::Receive(SocketKind kind, std::span<uint8_t> datagram, const Received& received, uint64_t nowMs) noexcept {
  if (kind == SocketKind::kRaw4) return ReceiveEsp(WithoutIpv4Header(datagram), received, nowMs);
  if (kind == SocketKind::kRaw6) return ReceiveEsp(datagram, received, nowMs);
  const bool ikePort = IsIke(kind);
  switch (ikePort ? ClassifyIkePort(datagram) : ClassifyNatTraversalPort(datagram)) {
    case Datagram::kIke:
      return PostIke(datagram.subspan(ikePort ? 0 : kNonEspMarkerLength), received.path, nowMs);
    case Datagram::kEsp:
      return ReceiveEsp(datagram, received, nowMs);
    case Datagram::kKeepalive:
      return Drop::kNone;
    case Datagram::kMalformed:
      break;
  }
  return Drop::kMalformed;
}

Drop Inbound::PostIke(std::span<const uint8_t> message, const Path& path, uint64_t nowMs) noexcept {
  const IkeGate::Verdict verdict = gate_.Judge(message, path.remote, nowMs);
  if (verdict == IkeGate::Verdict::kMalformed) return Drop::kMalformed;
  if (verdict == IkeGate::Verdict::kChallenged) {
    Challenge(gate_.Answer(), path);
    return Drop::kCookieDemanded;
  }
  const bool ofStranger = verdict == IkeGate::Verdict::kStranger;
  return events_.Post(DatagramEvent{{message.begin(), message.end()}, path, ofStranger}) ? Drop::kNone : Drop::kQueueFull;
}

/** Goes out at once and past all that waits: one answer for one message, which a stranger who does not get it sends again. */
void Inbound::Challenge(std::span<const uint8_t> message, const Path& path) noexcept {
  static uint8_t marker[kNonEspMarkerLength] = {};
  const SocketKind socket = sockets_.UdpFor(path.local.address.family, path.local.port);
  iovec pieces[] = {{marker, IsIke(socket) ? 0 : sizeof marker}, {const_cast<uint8_t*>(message.data()), message.size()}};
  msghdr header{};
  header.msg_iov = pieces;
  header.msg_iovlen = 2;
  alignas(cmsghdr) uint8_t control[WirePath::kControlLength];
  const WirePath to(path);
  to.Fill(header, control, 0);
  if (sendmsg(sockets_.Descriptor(socket), &header, MSG_DONTWAIT) >= 0) return;
  counters_.Count(errno == EAGAIN || errno == ENOBUFS ? Drop::kQueueFull : Drop::kSendFailed);
}

Drop Inbound::ReceiveEsp(std::span<uint8_t> packet, const Received& received, uint64_t nowMs) noexcept {
  if (packet.size() < esp::kMinLength) return Drop::kMalformed;
  InboundSa* found = Find(esp::SpiOf(packet));
  if (found == nullptr) return Drop::kNoInboundSa;
  InboundSa& sa = *found;
  esp::Opened opened;
  const Drop drop = esp::Open(sa.opener, packet, opened);
  if (drop != Drop::kNone) return drop;
  Authenticated(sa, opened, received);
  sa.record->lastPacketMs.store(nowMs, std::memory_order_relaxed);
  sa.state->lastReceivedMs.store(nowMs, std::memory_order_relaxed);
  return Unwrap(sa, opened, received, nowMs);
}

void Inbound::Authenticated(InboundSa& sa, const esp::Opened& opened, const Received& received) noexcept {
  SaRecord& record = *sa.record;
  record.sequence.store(sa.opener.window.Highest(), std::memory_order_relaxed);
  const uint64_t lost = sa.opener.window.Lost(), lostBefore = record.lost.load(std::memory_order_relaxed);
  if (lost != lostBefore) {
    record.lost.store(lost, std::memory_order_relaxed);
    Bump(sa.state->lost, lost - lostBefore);
  }
  if (!record.authenticated.load(std::memory_order_relaxed)) {
    record.authenticated = true;
    notices_.InboundSeen(sa.opener.spi);
  }
  // RFC 7296 2.23: only a fresh packet tells where the peer is; an old one may have been held back.
  if (!opened.newest || sa.from == received.path) return;
  if (received.path.local.port == 0 || notices_.PeerMoved(sa.tunnel, received.path)) sa.from = received.path;
}

/** What an authenticated ESP packet carries: a packet, AGGFRAG blocks where that was agreed, or nothing. */
Drop Inbound::Unwrap(InboundSa& sa, const esp::Opened& opened, const Received& received, uint64_t nowMs) noexcept {
  if (opened.nextHeader == kNoNextHeader) return Drop::kDummy;
  if (sa.aggfrag) {
    // RFC 9347 2.1: such an SA carries nothing else.
    if (opened.nextHeader != kAggfrag) return Drop::kUnsupportedNextHeader;
    reading_ = &sa;
    Bump(sa.record->envelopes);
    const Drop drop = sa.reassembly->Receive(opened.sequence, opened.payload, nowMs, *this);
    if (!sa.keeping && sa.reassembly->HasRing()) {
      sa.keeping = true;
      keeping_.push_back(sa.opener.spi);
    }
    sa.record->incomplete.store(sa.reassembly->Incomplete(), std::memory_order_relaxed);
    return drop;
  }
  if (opened.nextHeader != kIpv4 && opened.nextHeader != kIpv6) return Drop::kUnsupportedNextHeader;
  Bump(sa.record->envelopes);
  IpView view;
  const Drop malformed = ParseIp(opened.payload, view);
  if (malformed != Drop::kNone) return malformed;
  if ((opened.nextHeader == kIpv4) != (view.source.family == 4)) return Drop::kMalformed;
  const std::span<uint8_t> packet = opened.payload.first(view.length);
  const Drop congested = ecn::Decapsulate(packet, view.ecn, received.ecn);
  return congested == Drop::kNone ? Deliver(sa, packet, view) : congested;
}

void Inbound::Write(std::span<const iovec> pieces, const OffloadHeader& offload, size_t count) noexcept {
  if (!tun_.Write(pieces, offload)) Bump(counters_.drops[static_cast<size_t>(Drop::kTunWriteFailed)], count);
}

void Inbound::Packet(std::span<uint8_t> packet) noexcept {
  IpView view;
  Drop drop = ParseIp(packet, view);
  if (drop == Drop::kNone) drop = Deliver(*reading_, packet, view);
  if (drop != Drop::kNone) counters_.Count(drop);
}

void Inbound::AllPad(std::span<const uint8_t> pad) noexcept {
  ProbeMessage message;
  if (!reading_->pathProbes || !ReadProbeMessage(pad, message)) return;
  const uint32_t told = std::max(reading_->searchesTold, message.searches);
  const uint32_t came = message.kind == ProbeMessage::Kind::kSearch ? 1 : 0;
  // Reordered ones make it fall again, by wrapping; never below zero, since none comes that has not been counted.
  Bump(reading_->state->searchesMissing, uint64_t{told} - reading_->searchesTold - came);
  reading_->searchesTold = told;
  if (message.kind == ProbeMessage::Kind::kAcknowledgement) {
    notices_.ProbeAcknowledged(reading_->tunnel, message.id);
  } else {
    notices_.ProbeArrived(reading_->tunnel, message.id);
  }
}

Drop Inbound::Deliver(InboundSa& sa, std::span<uint8_t> packet, const IpView& view) noexcept {
  if (!CoversInbound(sa.local, sa.remote, view)) return Drop::kSelectorMismatch;
  const uint32_t clampTo = sa.state->clampTo.load(std::memory_order_relaxed);
  if (sa.clampMss && clampTo != 0) ClampMss(packet, view, clampTo);
  if (tun_.Offloads()) {
    coalescer_.Add(packet, view);
  } else if (!tun_.Write(packet)) {
    return Drop::kTunWriteFailed;
  }
  counters_.Passed(packet.size());
  sa.state->received.Add(packet.size());
  Bump(sa.record->packets);
  Bump(sa.record->octets, packet.size());
  return Drop::kNone;
}

}  // namespace moat
