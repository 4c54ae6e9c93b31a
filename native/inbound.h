#pragma once

#include <memory>
#include <unordered_map>

#include "counters.h"
#include "event.h"
#include "receive_batch.h"
#include "tun.h"

namespace moat {

/** What the way in has to tell the way out. */
class InboundNotices {
 public:
  virtual ~InboundNotices() = default;
  /** The first authenticated packet of an inbound SA. */
  virtual void InboundSeen(uint32_t spi) noexcept = 0;
  /** The newest authenticated packet of a tunnel came over this path, which differs from the one before. */
  virtual void PeerMoved(uint32_t tunnel, const Path& path) noexcept = 0;
};

/** The way in: socket -> SA by SPI -> replay window -> ESP -> selectors -> TUN. Owns the inbound SAs. */
class Inbound {
 public:
  struct Parts {
    Tun& tun;
    const Sockets& sockets;
    EventSink& events;
    InboundNotices& notices;
  };

  explicit Inbound(const Parts& parts) : tun_(parts.tun), sockets_(parts.sockets), events_(parts.events), notices_(parts.notices) {}

  const Counters& GetCounters() const noexcept { return counters_; }

  /** An SPI that is there already is left as it is. */
  void Install(std::unique_ptr<InboundSa> sa);
  void Remove(uint32_t spi);

  /** Handles what waits in a socket, at most one batch. @param nowMs of the monotonic clock. */
  void Readable(SocketKind kind, uint64_t nowMs) noexcept;

 private:
  Drop Receive(SocketKind kind, Received& received, uint64_t nowMs) noexcept;
  Drop PostIke(std::span<const uint8_t> message, const Path& path) noexcept;
  Drop ReceiveEsp(std::span<uint8_t> packet, const Received& received, uint64_t nowMs) noexcept;
  void Authenticated(InboundSa& sa, const esp::Opened& opened, const Received& received) noexcept;
  Drop Deliver(InboundSa& sa, const esp::Opened& opened, uint8_t outerEcn) noexcept;

  Tun& tun_;
  const Sockets& sockets_;
  EventSink& events_;
  InboundNotices& notices_;
  Counters counters_;
  ReceiveBatch batch_;
  std::unordered_map<uint32_t, std::unique_ptr<InboundSa>> sas_;
};

}  // namespace moat
