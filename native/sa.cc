#include "sa.h"

namespace moat {
namespace {

/** RFC 4303 3.3.3: a 32-bit sequence number must not cycle. */
constexpr uint64_t kSequenceNumbers32 = uint64_t{1} << 32;

/**
 * Packets under one AES-GCM or ChaCha20-Poly1305 key with extended sequence numbers. 2^36 packets of 94 blocks (1500 octets) are
 * under 2^43 blocks, which keeps an attacker's advantage (blocks^2 / 2^129, RFC 9001 appendix B.1) below 2^-43.
 */
constexpr uint64_t kSafePackets = uint64_t{1} << 36;

constexpr uint64_t ThreeQuarters(uint64_t limit) { return limit / 4 * 3; }

}  // namespace

OutboundSa::OutboundSa(const OutboundSettings& settings)
    : tunnel(settings.sa.tunnel),
      local(settings.sa.local),
      remote(settings.sa.remote),
      aggfrag(settings.sa.aggfrag),
      udpEncapsulation(settings.udpEncapsulation),
      followPeer(settings.followPeer),
      keepaliveSeconds(settings.keepaliveSeconds),
      afterInbound(settings.afterInbound),
      expiringAt(ThreeQuarters(settings.sa.esn ? kSafePackets : kSequenceNumbers32)),
      path(settings.path) {}

void OutboundSa::MoveTo(const Path& to) {
  path = to;
  wirePath = WirePath(to);
  record->SetPath(to);
}

std::unique_ptr<InboundSa> MakeInboundSa(const SaSettings& settings, size_t replayWindow) {
  auto sa = std::make_unique<InboundSa>(settings, replayWindow);
  sa->opener.aead = Aead::Create(settings.cipher, Aead::Direction::kOpen, settings.key);
  if (!sa->opener.aead) return nullptr;
  sa->record = std::make_shared<SaRecord>(SaDirection::kInbound, settings.tunnel, settings.spi);
  sa->record->active = true;
  return sa;
}

std::unique_ptr<OutboundSa> MakeOutboundSa(const OutboundSettings& settings) {
  auto sa = std::make_unique<OutboundSa>(settings);
  sa->sealer.spi = settings.sa.spi;
  sa->sealer.esn = settings.sa.esn;
  sa->sealer.aead = Aead::Create(settings.sa.cipher, Aead::Direction::kSeal, settings.sa.key);
  if (!sa->sealer.aead) return nullptr;
  sa->record = std::make_shared<SaRecord>(SaDirection::kOutbound, settings.sa.tunnel, settings.sa.spi);
  sa->MoveTo(settings.path);
  return sa;
}

}  // namespace moat
