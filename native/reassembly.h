#pragma once

#include <memory>
#include <vector>

#include "aggfrag.h"
#include "drop.h"

namespace moat::aggfrag {

/** Buffers for packets that are not complete, shared by all SAs of one thread and bounded for all of them together. */
class BufferPool {
 public:
  /** @param most buffers that exist at once; each can hold kMaxPacket octets and costs memory as far as it is used. */
  explicit BufferPool(size_t most) : most_(most) {}

  using Buffer = std::unique_ptr<uint8_t[]>;

  /** Null when all are in use. */
  Buffer Take() {
    if (!free_.empty()) {
      Buffer buffer = std::move(free_.back());
      free_.pop_back();
      return buffer;
    }
    if (made_ == most_) return nullptr;
    made_ += 1;
    return Buffer(new uint8_t[kMaxPacket]);
  }

  void GiveBack(Buffer buffer) {
    if (buffer) free_.push_back(std::move(buffer));
  }

  /** Gives back a buffer whose packet is still being looked at; it can be had again after `Recycle`. */
  void Retire(Buffer buffer) { retired_.push_back(std::move(buffer)); }
  void Recycle() {
    for (Buffer& buffer : retired_) free_.push_back(std::move(buffer));
    retired_.clear();
  }

  size_t InUse() const noexcept { return made_ - free_.size() - retired_.size(); }

 private:
  const size_t most_;
  size_t made_ = 0;
  std::vector<Buffer> free_;
  std::vector<Buffer> retired_;
};

/** Who gets what comes out of payloads. */
class Receiver {
 public:
  virtual ~Receiver() = default;
  /** A whole inner packet by its own length; nothing else of it has been checked. It stays until the payload's buffer is used again
   * and the pool's `Recycle` is called. */
  virtual void Packet(std::span<uint8_t> packet) noexcept = 0;
  /** The octets of a payload that is nothing but padding. */
  virtual void AllPad(std::span<const uint8_t> pad) noexcept = 0;
};

/**
 * Takes AGGFRAG payloads apart and puts split packets together; one per inbound SA.
 *
 * Theory of operation: BlockOffset makes each payload readable on its own, so blocks that are whole are handed on at once, in whatever
 * order payloads come. Of a payload only its edges are kept, in a ring with a place for each sequence number of the window: the
 * start of a packet that goes on in the next number, and a continuation whose start is not here yet. `carries` of a place names the start
 * of the packet that goes on behind it, so a continuation finds its start by one look at the place before. No packet waits for
 * an envelope that it does not need. A place is given up when its number leaves the window, and a start after kDropMs.
 */
class Reassembly {
 public:
  /** Sequence numbers: a power of two that is more than the envelopes of the largest packet on the smallest path. */
  static constexpr size_t kWindow = 256;
  /** RFC 9347 2.2.3 leaves the lost-packet timer to us; Linux drops after one second. */
  static constexpr uint64_t kDropMs = 1000;

  explicit Reassembly(BufferPool& pool) : pool_(pool) {}
  ~Reassembly();
  Reassembly(const Reassembly&) = delete;
  Reassembly& operator=(const Reassembly&) = delete;

  /**
   * Each sequence number is given at most once; the replay window sees to that.
   * @returns kMalformed, kReassemblyFull or kReassemblyFailed when a part of it was lost; what could be read was delivered.
   */
  Drop Receive(uint64_t sequence, std::span<uint8_t> payload, uint64_t nowMs, Receiver& receiver) noexcept;

  /** Packets whose start came but that were given up. */
  uint64_t Incomplete() const noexcept { return incomplete_; }

  /** It has memory that `Sweep` may give back. */
  bool HasRing() const noexcept { return !ring_.empty(); }
  /**
   * To be called now and then while it has a ring: after kDropMs without a packet nothing kept is of use, neither the parts, of which all SAs
   * together have so many, nor the ring. The next split packet gets a new one.
   */
  void Sweep(uint64_t nowMs) noexcept;

 private:
  struct Place {
    enum class State : uint8_t { kMissing, kRead, kAllPad, kOrphan };

    uint64_t sequence = 0;
    /** The number of the start whose packet goes on behind this one, perhaps this one's own; 0 = none. */
    uint64_t carries = 0;
    State state = State::kMissing;
    /** Of an orphan: what BlockOffset said, and how many octets of it are in `buffer`. Of a start: `have` of `need` octets; 0 = not known. */
    uint32_t blockOffset = 0;
    uint32_t orphanLength = 0;
    BufferPool::Buffer orphan;
    uint32_t have = 0;
    uint32_t need = 0;
    uint64_t sinceMs = 0;
    BufferPool::Buffer start;
  };

  struct Continuation {
    uint32_t blockOffset;
    std::span<const uint8_t> octets;
  };

  /** What every step of one `Receive` needs. */
  struct Moment {
    uint64_t nowMs;
    Receiver& receiver;
  };

  Place& At(uint64_t sequence) noexcept { return ring_[sequence % kWindow]; }
  Place* Present(uint64_t sequence) noexcept;
  Place* Enter(uint64_t sequence) noexcept;
  void GiveUp(Place& place) noexcept;
  void Abandon(Place& start) noexcept;
  Drop Continue(Place& place, const Continuation& continuation, const Moment& moment) noexcept;
  Drop Keep(Place& place, const Continuation& continuation) noexcept;
  Drop ReadBlocks(uint64_t sequence, std::span<uint8_t> blocks, const Moment& moment) noexcept;
  Drop Begin(uint64_t sequence, std::span<const uint8_t> octets, const Moment& moment) noexcept;
  Drop Append(Place& place, uint64_t startSequence, const Continuation& continuation, const Moment& moment) noexcept;
  Drop Complete(Place& start, const Moment& moment) noexcept;
  Drop Chain(uint64_t sequence, const Moment& moment) noexcept;

  BufferPool& pool_;
  std::vector<Place> ring_;
  uint64_t highest_ = 0;
  uint64_t incomplete_ = 0;
  /** Of the last payload while there was a ring. */
  uint64_t lastMs_ = 0;
};

}  // namespace moat::aggfrag
