#pragma once

#include <memory>
#include <unordered_map>

#include "coalescer.h"
#include "counters.h"
#include "event.h"
#include "ike_gate.h"
#include "receive_batch.h"
#include "sa.h"
#include "tun.h"

namespace moat {

/** What the way in has to tell the way out. */
class InboundNotices {
 public:
  virtual ~InboundNotices() = default;
  /** The first authenticated packet of an inbound SA. */
  virtual void InboundSeen(uint32_t spi) noexcept = 0;
  /** The newest authenticated packet of a tunnel came over this path, which differs from the one before. False: to be said again. */
  virtual bool PeerMoved(uint32_t tunnel, const Path& path) noexcept = 0;
  /** A path probe that wants an acknowledgement, and an acknowledgement of ours. */
  virtual void ProbeArrived(uint32_t tunnel, uint32_t id) noexcept = 0;
  virtual void ProbeAcknowledged(uint32_t tunnel, uint32_t id) noexcept = 0;
};

/** The way in: socket -> SA by SPI -> replay window -> ESP (-> AGGFRAG) -> selectors -> TUN. Owns the inbound SAs. */
class Inbound : private aggfrag::Receiver, private PacketWriter {
 public:
  struct Parts {
    Tun& tun;
    const Sockets& sockets;
    EventSink& events;
    InboundNotices& notices;
  };

  explicit Inbound(const Parts& parts);

  const Counters& GetCounters() const noexcept { return counters_; }

  /** An SPI that is there already is left as it is. */
  void Install(std::unique_ptr<InboundSa> sa);
  void Remove(uint32_t spi);

  /** Strangers get cookies from here until `untilMs` of the monotonic clock. */
  void DemandCookies(CookieSecrets secrets, uint64_t untilMs) noexcept { gate_.Demand(std::move(secrets), untilMs); }

  /** Handles what waits in a socket, at most one batch. @param nowMs of the monotonic clock. */
  void Readable(SocketKind kind, uint64_t nowMs) noexcept;

  /** To be called about once a second: what was kept for packets that never came whole is given up, of some SAs each time. */
  void Tick(uint64_t nowMs) noexcept;

 private:
  Drop Receive(SocketKind kind, std::span<uint8_t> datagram, const Received& received, uint64_t nowMs) noexcept;
  Drop PostIke(std::span<const uint8_t> message, const Path& path, uint64_t nowMs) noexcept;
  void Challenge(std::span<const uint8_t> message, const Path& path) noexcept;
  InboundSa* Find(uint32_t spi) noexcept;
  Drop ReceiveEsp(std::span<uint8_t> packet, const Received& received, uint64_t nowMs) noexcept;
  void Authenticated(InboundSa& sa, const esp::Opened& opened, const Received& received) noexcept;
  Drop Unwrap(InboundSa& sa, const esp::Opened& opened, const Received& received, uint64_t nowMs) noexcept;
  Drop Deliver(InboundSa& sa, std::span<uint8_t> packet, const IpView& view) noexcept;
  void Write(std::span<const iovec> pieces, const OffloadHeader& offload, size_t count) noexcept override;
  void Packet(std::span<uint8_t> packet) noexcept override;
  void AllPad(std::span<const uint8_t> pad) noexcept override;

  Tun& tun_;
  const Sockets& sockets_;
  EventSink& events_;
  InboundNotices& notices_;
  Counters counters_;
  IkeGate gate_;
  ReceiveBatch batch_;
  Coalescer coalescer_;
  aggfrag::BufferPool pool_;
  std::unordered_map<uint32_t, std::unique_ptr<InboundSa>> sas_;
  /** What `Find` found last. */
  InboundSa* last_ = nullptr;
  /** SPIs of SAs that keep something for `Tick` to look at. */
  std::vector<uint32_t> keeping_;
  size_t nextSwept_ = 0;
  /** Whose AGGFRAG payload is being read. */
  InboundSa* reading_ = nullptr;
};

}  // namespace moat
