#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "address.h"
#include "esp.h"
#include "selector.h"
#include "wire_path.h"

namespace moat {

enum class SaDirection : uint8_t { kInbound, kOutbound };

/**
 * What the control plane may read of an SA while packets pass: written by the thread that owns the SA, without locks but
 * for the path, which is written only when it moves.
 */
struct SaRecord {
  SaRecord(SaDirection directionIn, uint32_t tunnelIn, uint32_t spiIn) : direction(directionIn), tunnel(tunnelIn), spi(spiIn) {}

  const SaDirection direction;
  const uint32_t tunnel;
  const uint32_t spi;
  std::atomic<bool> active = false;
  std::atomic<uint64_t> packets = 0;
  std::atomic<uint64_t> octets = 0;
  std::atomic<uint64_t> sequence = 0;
  std::atomic<uint64_t> lost = 0;
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

/** Adds to a counter that only the calling thread writes. */
inline void Bump(std::atomic<uint64_t>& counter, uint64_t by = 1) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

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
};

struct OutboundSettings {
  SaSettings sa;
  Path path;
  bool udpEncapsulation = true;
  uint32_t keepaliveSeconds = 0;
  bool followPeer = false;
  /** The inbound SPI that this SA waits for; none = active at once. */
  std::optional<uint32_t> afterInbound;
};

struct InboundSa {
  explicit InboundSa(const SaSettings& settings, size_t replayWindow)
      : tunnel(settings.tunnel),
        opener(settings.spi, settings.esn, replayWindow),
        local(settings.local),
        remote(settings.remote),
        aggfrag(settings.aggfrag) {}

  const uint32_t tunnel;
  esp::Opener opener;
  const Selectors local;
  const Selectors remote;
  const bool aggfrag;
  std::shared_ptr<SaRecord> record;
  /** Where the newest packet came from. */
  Path from;
};

struct OutboundSa {
  explicit OutboundSa(const OutboundSettings& settings);

  const uint32_t tunnel;
  const Selectors local;
  const Selectors remote;
  const bool aggfrag;
  const bool udpEncapsulation;
  const bool followPeer;
  const uint32_t keepaliveSeconds;
  const std::optional<uint32_t> afterInbound;
  /** Packets after which `expiring` is posted. */
  const uint64_t expiringAt;
  esp::Sealer sealer;
  Path path;
  WirePath wirePath;
  std::shared_ptr<SaRecord> record;
  /** Of the inbound SA `afterInbound`, when that was installed first. */
  std::shared_ptr<SaRecord> awaited;
  bool expiringPosted = false;
  uint64_t lastKeepaliveMs = 0;

  void MoveTo(const Path& to);
};

/** Null when the key does not fit the cipher. */
std::unique_ptr<InboundSa> MakeInboundSa(const SaSettings& settings, size_t replayWindow);
std::unique_ptr<OutboundSa> MakeOutboundSa(const OutboundSettings& settings);

}  // namespace moat
