#include "inbound.h"

#include "classify.h"
#include "ecn.h"

namespace moat {
namespace {

/** A raw IPv4 socket shows the IP header (raw(7)), a raw IPv6 socket does not. */
std::span<uint8_t> WithoutIpv4Header(std::span<uint8_t> bytes) noexcept {
  if (bytes.size() < kIpv4HeaderLength) return {};
  const size_t headerLength = size_t{bytes[0] & 0x0fu} * 4;
  return headerLength > bytes.size() ? std::span<uint8_t>{} : bytes.subspan(headerLength);
}

}  // namespace

void Inbound::Install(std::unique_ptr<InboundSa> sa) {
  const uint32_t spi = sa->opener.spi;
  sas_.try_emplace(spi, std::move(sa));
}

void Inbound::Remove(uint32_t spi) { sas_.erase(spi); }

void Inbound::Readable(SocketKind kind, uint64_t nowMs) noexcept {
  const size_t count = batch_.Receive(sockets_.Descriptor(kind));
  for (size_t i = 0; i < count; i += 1) {
    Received received = batch_.At(i, sockets_.Port(kind));
    const Drop drop = Receive(kind, received, nowMs);
    if (drop != Drop::kNone) counters_.Count(drop);
  }
}

Drop Inbound::Receive(SocketKind kind, Received& received, uint64_t nowMs) noexcept {
  if (kind == SocketKind::kRaw4) return ReceiveEsp(WithoutIpv4Header(received.bytes), received, nowMs);
  if (kind == SocketKind::kRaw6) return ReceiveEsp(received.bytes, received, nowMs);
  const bool ikePort = IsIke(kind);
  switch (ikePort ? ClassifyIkePort(received.bytes) : ClassifyNatTraversalPort(received.bytes)) {
    case Datagram::kIke:
      return PostIke(received.bytes.subspan(ikePort ? 0 : kNonEspMarkerLength), received.path);
    case Datagram::kEsp:
      return ReceiveEsp(received.bytes, received, nowMs);
    case Datagram::kKeepalive:
      return Drop::kNone;
    case Datagram::kMalformed:
      break;
  }
  return Drop::kMalformed;
}

Drop Inbound::PostIke(std::span<const uint8_t> message, const Path& path) noexcept {
  return events_.Post(DatagramEvent{{message.begin(), message.end()}, path}) ? Drop::kNone : Drop::kQueueFull;
}

Drop Inbound::ReceiveEsp(std::span<uint8_t> packet, const Received& received, uint64_t nowMs) noexcept {
  if (packet.size() < esp::kMinLength) return Drop::kMalformed;
  const auto found = sas_.find(esp::SpiOf(packet));
  if (found == sas_.end()) return Drop::kNoInboundSa;
  InboundSa& sa = *found->second;
  esp::Opened opened;
  const Drop drop = esp::Open(sa.opener, packet, opened);
  if (drop != Drop::kNone) return drop;
  Authenticated(sa, opened, received);
  sa.record->lastPacketMs.store(nowMs, std::memory_order_relaxed);
  return Deliver(sa, opened, received.ecn);
}

void Inbound::Authenticated(InboundSa& sa, const esp::Opened& opened, const Received& received) noexcept {
  SaRecord& record = *sa.record;
  record.sequence.store(sa.opener.window.Highest(), std::memory_order_relaxed);
  record.lost.store(sa.opener.window.Lost(), std::memory_order_relaxed);
  if (!record.authenticated.load(std::memory_order_relaxed)) {
    record.authenticated = true;
    notices_.InboundSeen(sa.opener.spi);
  }
  // RFC 7296 2.23: only a fresh packet tells where the peer is; an old one may have been held back.
  if (!opened.newest || sa.from == received.path) return;
  sa.from = received.path;
  if (received.path.local.port != 0) notices_.PeerMoved(sa.tunnel, received.path);
}

Drop Inbound::Deliver(InboundSa& sa, const esp::Opened& opened, uint8_t outerEcn) noexcept {
  if (opened.nextHeader == kNoNextHeader) return Drop::kDummy;
  if (opened.nextHeader != kIpv4 && opened.nextHeader != kIpv6) return Drop::kUnsupportedNextHeader;
  IpView view;
  const Drop malformed = ParseIp(opened.payload, view);
  if (malformed != Drop::kNone) return malformed;
  if ((opened.nextHeader == kIpv4) != (view.source.family == 4)) return Drop::kMalformed;
  if (!CoversInbound(sa.local, sa.remote, view)) return Drop::kSelectorMismatch;
  const std::span<uint8_t> inner = opened.payload.first(view.length);
  const Drop congested = ecn::Decapsulate(inner, view.ecn, outerEcn);
  if (congested != Drop::kNone) return congested;
  if (!tun_.Write(inner)) return Drop::kTunWriteFailed;
  counters_.Passed(inner.size());
  Bump(sa.record->packets);
  Bump(sa.record->octets, inner.size());
  return Drop::kNone;
}

}  // namespace moat
