#include "sa.h"

#include <algorithm>

#include "sockets.h"

namespace moat {
namespace {

/** RFC 4303 3.3.3: a 32-bit sequence number must not cycle. */
constexpr uint64_t kSequenceNumbers32 = uint64_t{1} << 32;

/**
 * Packets under one AES-GCM or ChaCha20-Poly1305 key with extended sequence numbers. 2^36 packets of 94 blocks (1500 octets) are
 * under 2^43 blocks, which keeps an attacker's advantage (blocks^2 / 2^129, RFC 9001 appendix B.1) below 2^-43.
 */
constexpr uint64_t kSafePackets = uint64_t{1} << 36;

/** RFC 8200 5: a size that practically every path carries, for AGGFRAG peers that answer no probes. */
constexpr size_t kUnprobed = 1280;

/** What is taken for the path of a peer without AGGFRAG, unless the route says less. */
constexpr size_t kEthernet = 1500;

constexpr size_t kUdpHeaderLength = 8;

constexpr uint64_t ThreeQuarters(uint64_t limit) { return limit / 4 * 3; }

}  // namespace

OutboundSa::OutboundSa(const OutboundSettings& settings)
    : tunnel(settings.sa.tunnel),
      local(settings.sa.local),
      remote(settings.sa.remote),
      aggfrag(settings.sa.aggfrag),
      pathProbes(settings.sa.aggfrag && settings.sa.pathProbes),
      clampMss(settings.sa.clampMss),
      tellTooBig(settings.tellTooBig),
      aggregationDelayMs(settings.aggregationDelayMs),
      udpEncapsulation(settings.udpEncapsulation),
      followPeer(settings.followPeer),
      keepaliveSeconds(settings.keepaliveSeconds),
      afterInbound(settings.afterInbound),
      expiringAt(ThreeQuarters(settings.sa.esn ? kSafePackets : kSequenceNumbers32)),
      path(settings.path) {}

void OutboundSa::MoveTo(const Path& to) {
  path = to;
  wirePath = WirePath(to);
  routeMtu = RouteMtu(to);
  record->SetPath(to);
}

size_t OutboundSa::Overhead() const noexcept {
  const size_t ip = path.remote.address.family == 4 ? kIpv4HeaderLength : kIpv6HeaderLength;
  return ip + (udpEncapsulation ? kUdpHeaderLength : 0);
}

size_t OutboundSa::OuterLimit() const noexcept {
  if (state->pathMtu) return state->pathMtu->Size();
  return std::min(routeMtu, aggfrag ? kUnprobed : kEthernet);
}

bool OutboundSa::DontFragment() const noexcept { return state->pathMtu && state->pathMtu->Answered(); }

void OutboundSa::Publish() const noexcept {
  const size_t clampSize = state->pathMtu ? state->pathMtu->ClampSize() : OuterLimit();
  const size_t clampTo = esp::PayloadThatFits(clampSize - Overhead()) - (aggfrag ? aggfrag::kHeaderLength : 0);
  state->clampTo.store(clampMss ? static_cast<uint32_t>(clampTo) : 0, std::memory_order_relaxed);
  state->aggfrag.store(aggfrag, std::memory_order_relaxed);
  // What envelopes really have: ESP comes in steps of four octets.
  const size_t outer = Overhead() + esp::SealedLength(EnvelopePayload());
  state->outerLimit.store(static_cast<uint32_t>(outer), std::memory_order_relaxed);
  state->envelopePayload.store(static_cast<uint32_t>(EnvelopePayload()), std::memory_order_relaxed);
  if (!state->pathMtu) return;
  state->foundMs.store(state->pathMtu->FoundMs(), std::memory_order_relaxed);
  state->probed.store(state->pathMtu->Answered(), std::memory_order_relaxed);
  state->searching.store(!state->pathMtu->Complete(), std::memory_order_relaxed);
  state->blackHoles.store(state->pathMtu->BlackHoles(), std::memory_order_relaxed);
}

std::unique_ptr<InboundSa> MakeInboundSa(const SaSettings& settings, size_t replayWindow) {
  auto sa = std::make_unique<InboundSa>(settings, replayWindow);
  sa->opener.aead = Aead::Create(settings.cipher, Aead::Direction::kOpen, settings.key);
  if (!sa->opener.aead) return nullptr;
  sa->record = std::make_shared<SaRecord>(SaDirection::kInbound, settings.tunnel, settings.spi, settings.aggfrag);
  sa->record->active = true;
  return sa;
}

std::unique_ptr<OutboundSa> MakeOutboundSa(const OutboundSettings& settings) {
  auto sa = std::make_unique<OutboundSa>(settings);
  sa->sealer.spi = settings.sa.spi;
  sa->sealer.esn = settings.sa.esn;
  sa->sealer.aead = Aead::Create(settings.sa.cipher, Aead::Direction::kSeal, settings.sa.key);
  if (!sa->sealer.aead) return nullptr;
  sa->record = std::make_shared<SaRecord>(SaDirection::kOutbound, settings.sa.tunnel, settings.sa.spi, settings.sa.aggfrag);
  sa->MoveTo(settings.path);
  return sa;
}

}  // namespace moat
