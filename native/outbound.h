#pragma once

#include "counters.h"
#include "event.h"
#include "outbound_table.h"
#include "send_queue.h"
#include "tun.h"

namespace moat {

/**
 * The way out: TUN -> SA by selectors -> ESP -> socket. Owns the outbound SAs.
 *
 * Theory of operation: packets are read from TUN straight into the send queue's buffers, with room for the ESP header in front,
 * sealed where they lie, and leave together at the end of the batch. Nothing here waits.
 */
class Outbound {
 public:
  struct Parts {
    Tun& tun;
    const Sockets& sockets;
    EventSink& events;
    size_t tunMtu;
  };

  explicit Outbound(const Parts& parts);

  OutboundTable& Table() noexcept { return table_; }
  const Counters& GetCounters() const noexcept { return counters_; }

  /** Sends what waits in TUN, at most one batch. @param nowMs of the monotonic clock. */
  void TunReadable(uint64_t nowMs) noexcept;

  /** Adds the non-ESP marker where the path's local port wants it. */
  void SendIke(std::span<const uint8_t> message, const Path& path) noexcept;

  /** Called about once per second: NAT keepalives that are due (RFC 3948 4). */
  void Tick(uint64_t nowMs) noexcept;

 private:
  Drop SendPacket(std::span<uint8_t> packet, uint64_t nowMs) noexcept;
  void Acquire(const IpView& view, uint64_t nowMs) noexcept;
  void SendKeepalive(const OutboundSa& sa) noexcept;
  SocketKind SocketOf(const OutboundSa& sa) const noexcept;

  Tun& tun_;
  const Sockets& sockets_;
  EventSink& events_;
  Counters counters_;
  OutboundTable table_;
  SendQueue queue_;
  uint64_t nextAcquireMs_ = 0;
};

}  // namespace moat
