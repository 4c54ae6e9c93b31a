#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "codel.h"
#include "counters.h"
#include "ip.h"
#include "offload.h"
#include "packet_memory.h"

namespace moat {

/**
 * Packets that wait to be encrypted, in one queue for each flow, without I/O: what RFC 8290 (FQ-CoDel) is for.
 *
 * Theory of operation: flows are told apart by a hash of addresses, protocol and ports. A flow that has sent nothing for a while goes first, so that
 * a request or a ping does not wait behind a transfer; busy flows take turns of kQuantum octets. A flow whose packets wait too long is slowed
 * down by CoDel. Above kMostOctets the longest queue loses, from its front. While everything leaves as fast as it comes, packets
 * are only passed on. Packets are read straight into the queue's own blocks and stay there until they have left.
 */
class FlowQueue {
 public:
  static constexpr size_t kFlows = 256, kMostPackets = 8192;
  /** The window of one TCP connection over such a tunnel, about; CoDel takes care of what stands in it for long. */
  static constexpr size_t kMostOctets = 4 << 20;
  /** A quarter of a super-packet: what is sparse is less. */
  static constexpr int32_t kQuantum = 16 << 10;
  /** The longest packet that is read. */
  static constexpr size_t kLongest = 65536;

  struct Packet {
    std::span<uint8_t> octets;
    IpView view;
    OffloadHeader offload;
    uint64_t arrivedUs = 0;
    uint32_t block = 0;
    uint32_t next = 0;
  };

  /** @param seed makes it hard to aim two flows at one queue. */
  FlowQueue(Counters& counters, uint64_t seed);

  /** kLongest octets to read the next packet into; empty while too much waits. */
  std::span<uint8_t> Room() noexcept;
  /** Takes a packet that stands at the start of the last `Room`; `view` describes it. */
  void Add(std::span<uint8_t> octets, const IpView& view, const OffloadHeader& offload, uint64_t nowUs) noexcept;
  /** The packet whose turn it is; it stays until the next call. Null: none waits. */
  Packet* Next(uint64_t nowUs) noexcept;

  bool Empty() const noexcept { return waiting_ == 0; }
  size_t Octets() const noexcept { return octets_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  /** So many packets and no more are taken off the longest queue at once (RFC 8290 4.1.3): finding it is what costs. */
  static constexpr size_t kDropBatch = 64;
  /** While more small packets come than fit one block, another begins; a long packet needs the half of one. */
  static constexpr size_t kBlockLength = 2 * kLongest, kBlocks = 72;

  struct Flow {
    uint32_t head = kNone, tail = kNone;
    uint32_t nextFlow = kNone;
    size_t octets = 0;
    int32_t deficit = 0;
    bool listed = false;
    Codel codel;
  };

  struct List {
    uint32_t head = kNone, tail = kNone;
  };

  struct Block {
    size_t used = 0;
    size_t packets = 0;
  };

  uint32_t FlowOf(const IpView& view) const noexcept;
  void Append(List& list, uint32_t flow) noexcept;
  uint32_t TakeFirst(List& list) noexcept;
  uint32_t Pop(Flow& flow) noexcept;
  uint32_t Dequeue(Flow& flow, uint64_t nowUs) noexcept;
  void Free(uint32_t packet) noexcept;
  void Lose(uint32_t packet) noexcept;
  void DropFromLongest() noexcept;
  uint8_t* At(size_t block) const noexcept { return memory_.Get() + block * kBlockLength; }

  Counters& counters_;
  const uint64_t seed_;
  PacketMemory memory_;
  std::array<Block, kBlocks> blocks_{};
  /** The block that is being read into. */
  uint32_t filling_ = 0;
  std::vector<Packet> packets_;
  std::vector<uint32_t> free_;
  std::array<Flow, kFlows> flows_{};
  List new_, old_;
  /** What `Next` has given out. */
  uint32_t current_ = kNone;
  size_t octets_ = 0;
  size_t waiting_ = 0;
};

}  // namespace moat
