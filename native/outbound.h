#pragma once

#include "counters.h"
#include "event.h"
#include "flow_queue.h"
#include "outbound_table.h"
#include "path_prober.h"
#include "segmenter.h"
#include "send_queue.h"
#include "tun.h"

namespace moat {

/**
 * The way out: TUN -> SA by selectors -> (AGGFRAG ->) ESP -> socket. Owns the outbound SAs.
 *
 * Theory of operation: what waits in TUN is read at once into the flow queue, so that it is never the kernel's one queue for all that grows.
 * From there packets go by turns of their flows: without AGGFRAG each into a slot, with it into the SA's open envelope, which is sealed when it
 * is full or the turn ends. All envelopes of a turn leave together. When a socket is full, packets stay in the flow queue until it is
 * writable; that queue alone drops. Nothing here waits.
 */
class Outbound : private ProbeSender, private SizeObserver {
 public:
  struct Parts {
    Tun& tun;
    const Sockets& sockets;
    EventSink& events;
    size_t tunMtu;
    /** Of the flow queue. */
    uint64_t seed;
  };

  explicit Outbound(const Parts& parts);

  const Counters& GetCounters() const noexcept { return counters_; }

  void Install(std::unique_ptr<OutboundSa> sa, uint64_t nowMs);
  void Activate(uint32_t tunnel, uint32_t spi, uint64_t nowMs);
  void InboundSeen(uint32_t inboundSpi, uint64_t nowMs);
  void Remove(uint32_t tunnel, uint32_t spi);
  void MovePath(uint32_t tunnel, const Path& path, uint64_t nowMs);
  void PeerMoved(uint32_t tunnel, const Path& path, uint64_t nowMs);
  /** The peer has sent a probe, or has answered ours. */
  void ProbeArrived(uint32_t tunnel, uint32_t id, uint64_t nowMs) noexcept;
  void ProbeAcknowledged(uint32_t tunnel, uint32_t id, uint64_t nowMs) noexcept;

  /**
   * Reads what waits in TUN and sends what waits here, at most one turn of each. @param nowUs of the monotonic clock. @param again another turn
   * follows before long: what is open may wait for it.
   */
  void TakeTurn(uint64_t nowUs, bool again) noexcept;
  /** There is more to send, and a socket to send it. */
  bool Waiting() const noexcept { return !flows_.Empty() && !queue_.Blocked(); }
  /** Something open waits for the next turn, which must come though nothing else asks for it. */
  bool Carrying() const noexcept { return !carried_.empty() && !queue_.Blocked(); }

  /** A socket is full; `Writable` is to be called when it is not any more. */
  bool Blocked() const noexcept { return queue_.Blocked(); }
  SocketKind BlockedSocket() const noexcept { return queue_.BlockedSocket(); }
  void Writable() noexcept { queue_.Flush(); }

  /** Adds the non-ESP marker where the path's local port wants it. */
  void SendIke(std::span<const uint8_t> message, const Path& path) noexcept;

  /** To be called at `WakeAt()`: held envelopes and searches. */
  void Tick(uint64_t nowUs) noexcept;
  /** Microseconds of the monotonic clock. */
  uint64_t WakeAt() const noexcept;
  /** Called about once per second: NAT keepalives that are due (RFC 3948 4). */
  void Keepalives(uint64_t nowMs) noexcept;

 private:
  void ReadTun(uint64_t nowUs) noexcept;
  size_t ReadPacket(uint64_t nowUs) noexcept;
  Drop Queue(std::span<uint8_t> packet, const OffloadHeader& offload, uint64_t nowUs) noexcept;
  void SendTurn(uint64_t nowUs) noexcept;
  void Touch(OutboundSa& sa) noexcept;
  void EndTouched() noexcept;
  Drop SendPacket(FlowQueue::Packet& packet) noexcept;
  Drop SendSegments(OutboundSa& sa, std::span<uint8_t> packet, const IpView& view, const OffloadHeader& offload) noexcept;
  Drop SendPlain(OutboundSa& sa, const Segmenter::Segment& packet, const IpView& view) noexcept;
  void Aggregate(OutboundSa& sa, const Segmenter::Segment& packet, const IpView& view) noexcept;
  void AggregateNext(OutboundSa& sa, const IpView& view) noexcept;
  void Aggregated(OutboundSa& sa, size_t length, const IpView& view) noexcept;
  void EndBatch(OutboundSa& sa) noexcept;
  void FinishOpen(OutboundSa& sa) noexcept;
  void Hold(OutboundSa& sa) noexcept;
  void Carry(OutboundSa& sa) noexcept;
  void MoveToHeld(OutboundSa& sa) noexcept;
  void SealAndCommit(OutboundSa& sa, std::span<uint8_t> payload) noexcept;
  void CountSent(OutboundSa& sa, size_t length) noexcept;
  void TellTooBig(const OutboundSa& sa, std::span<const uint8_t> packet, const IpView& view) noexcept;
  void SendMessage(OutboundSa& sa, size_t payloadLength, const struct ProbeMessage& message, bool probe) noexcept;
  void SendProbe(OutboundSa& sa, const Probe& probe, uint64_t nowMs) noexcept override;
  void TooLargeHere(uint32_t tunnel, size_t length) noexcept override;
  void Acquire(const IpView& view) noexcept;
  SocketKind SocketOf(const OutboundSa& sa) const noexcept;

  Tun& tun_;
  const Sockets& sockets_;
  EventSink& events_;
  Counters counters_;
  OutboundTable table_;
  PathProber prober_;
  SendQueue queue_;
  /** Of IKE messages and keepalives. */
  SendLane controlLane_;
  FlowQueue flows_;
  Segmenter segmenter_;
  /** SAs that have sent in this turn. */
  std::vector<OutboundSa*> touched_;
  /** SAs whose envelopes wait for company, for a time or for the next turn. */
  std::vector<OutboundSa*> holding_;
  std::vector<OutboundSa*> carried_;
  bool again_ = false;
  uint64_t nowUs_ = 0;
  /** When something was last read from TUN. */
  uint64_t readUs_ = 0;
  uint64_t nowMs_ = 0;
  uint64_t nextAcquireMs_ = 0;
  uint64_t nextTooBigMs_ = 0;
  uint32_t tooBigBudget_ = 0;
};

}  // namespace moat
