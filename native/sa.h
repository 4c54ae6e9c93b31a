#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "address.h"
#include "aggfrag.h"
#include "esp.h"
#include "reassembly.h"
#include "selector.h"
#include "send_queue.h"
#include "tunnel_state.h"
#include "wire_path.h"

namespace moat {

enum class SaDirection : uint8_t { kInbound, kOutbound };

/**
 * What the control plane may read of an SA while packets pass: written by the thread that owns the SA, without locks but
 * for the path, which is written only when it moves.
 */
struct SaRecord {
  SaRecord(SaDirection directionIn, uint32_t tunnelIn, uint32_t spiIn, bool aggfragIn = false)
      : direction(directionIn), tunnel(tunnelIn), spi(spiIn), aggfrag(aggfragIn) {}

  const SaDirection direction;
  const uint32_t tunnel;
  const uint32_t spi;
  const bool aggfrag;
  std::atomic<bool> active = false;
  std::atomic<uint64_t> packets = 0;
  std::atomic<uint64_t> octets = 0;
  std::atomic<uint64_t> sequence = 0;
  std::atomic<uint64_t> lost = 0;
  /** ESP packets with inner packets in them, or parts of some. */
  std::atomic<uint64_t> envelopes = 0;
  /** Inbound, AGGFRAG: packets of which not all parts came in time. */
  std::atomic<uint64_t> incomplete = 0;
  /** Milliseconds of the monotonic clock; 0 before the first packet. */
  std::atomic<uint64_t> lastPacketMs = 0;
  /** Inbound: a packet has been authenticated. */
  std::atomic<bool> authenticated = false;

  void SetPath(const Path& path) {
    const std::lock_guard lock(pathMutex_);
    path_ = path;
  }

  Path GetPath() const {
    const std::lock_guard lock(pathMutex_);
    return path_;
  }

 private:
  mutable std::mutex pathMutex_;
  Path path_;
};

/** What both directions are made of; `native/index.ts` and `appliance/lib/esp-sa.ts` say what the fields mean. */
struct SaSettings {
  uint32_t tunnel = 0;
  uint32_t spi = 0;
  Cipher cipher = Cipher::kAes256Gcm16;
  /** Key and salt; whoever fills it wipes it. */
  std::span<const uint8_t> key;
  bool esn = false;
  Selectors local;
  Selectors remote;
  bool aggfrag = false;
  /** The peer answers path probes; of use only with `aggfrag`. */
  bool pathProbes = false;
  bool clampMss = true;
};

struct OutboundSettings {
  SaSettings sa;
  Path path;
  bool udpEncapsulation = true;
  uint32_t keepaliveSeconds = 0;
  bool followPeer = false;
  /** The inbound SPI that this SA waits for; none = active at once. */
  std::optional<uint32_t> afterInbound;
  uint32_t aggregationDelayMs = 0;
  /** Without AGGFRAG: tell senders of packets with DF what fits, instead of fragmenting the envelope. */
  bool tellTooBig = false;
};

struct InboundSa {
  explicit InboundSa(const SaSettings& settings, size_t replayWindow)
      : tunnel(settings.tunnel),
        opener(settings.spi, settings.esn, replayWindow),
        local(settings.local),
        remote(settings.remote),
        aggfrag(settings.aggfrag),
        pathProbes(settings.aggfrag && settings.pathProbes),
        clampMss(settings.clampMss) {}

  const uint32_t tunnel;
  esp::Opener opener;
  const Selectors local;
  const Selectors remote;
  const bool aggfrag;
  const bool pathProbes;
  const bool clampMss;
  std::shared_ptr<SaRecord> record;
  std::shared_ptr<TunnelState> state;
  /** With AGGFRAG; made by the thread that has the buffers. */
  std::unique_ptr<aggfrag::Reassembly> reassembly;
  /** In `Inbound`'s list of SAs that keep something. */
  bool keeping = false;
  /** Where the newest packet came from. */
  Path from;
  /** What `ProbeMessage::searches` last said. */
  uint32_t searchesTold = 0;
};

struct OutboundSa {
  explicit OutboundSa(const OutboundSettings& settings);

  const uint32_t tunnel;
  const Selectors local;
  const Selectors remote;
  const bool aggfrag;
  const bool pathProbes;
  const bool clampMss;
  const bool tellTooBig;
  const uint32_t aggregationDelayMs;
  const bool udpEncapsulation;
  const bool followPeer;
  const uint32_t keepaliveSeconds;
  const std::optional<uint32_t> afterInbound;
  /** Packets after which `expiring` is posted. */
  const uint64_t expiringAt;
  esp::Sealer sealer;
  Path path;
  WirePath wirePath;
  /** What the route says (or the interface): octets. */
  size_t routeMtu = 0;
  std::shared_ptr<SaRecord> record;
  std::shared_ptr<TunnelState> state;
  /** Of the inbound SA `afterInbound`, when that was installed first. */
  std::shared_ptr<SaRecord> awaited;
  bool expiringPosted = false;
  /** Of anything, keepalives included. */
  uint64_t lastSentMs = 0;

  aggfrag::Packer packer;
  /** Where its envelopes are made. */
  SendLane lane;
  /** The packer's envelope between two turns, when there is a delay. */
  std::vector<uint8_t> held;
  /** When the open envelope must leave, microseconds; 0: it does not wait for that long. */
  uint64_t heldUntilUs = 0;
  /** It has been given a packet in this turn. */
  bool fresh = false;
  /** In `Outbound`'s list of SAs that send in this batch. */
  bool touched = false;
  /** Of this batch: envelopes larger than the smallest path. */
  uint64_t largeEnvelopes = 0;
  /** The open envelope ends with a small packet, behind which nothing is expected. */
  bool endsSmall = false;
  /** Probes of searches that were sent. */
  uint32_t searches = 0;

  void MoveTo(const Path& to);
  /** Octets of outer IP and UDP headers. */
  size_t Overhead() const noexcept;
  /** Octets of the largest outer packet, and what follows from it. */
  size_t OuterLimit() const noexcept;
  size_t EnvelopePayload() const noexcept { return esp::PayloadThatFits(OuterLimit() - Overhead()); }
  /** The largest inner packet that has an envelope for itself; with AGGFRAG larger ones are split, without the envelope is fragmented. */
  size_t LargestInner() const noexcept { return EnvelopePayload() - (aggfrag ? aggfrag::kHeaderLength : 0); }
  /** Envelopes may not be fragmented: their size is known to fit. */
  bool DontFragment() const noexcept;
  /** Shows the sizes to the way in and to statistics. */
  void Publish() const noexcept;
};

/** Null when the key does not fit the cipher. */
std::unique_ptr<InboundSa> MakeInboundSa(const SaSettings& settings, size_t replayWindow);
std::unique_ptr<OutboundSa> MakeOutboundSa(const OutboundSettings& settings);

}  // namespace moat
