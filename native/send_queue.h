#pragma once

#include <sys/socket.h>

#include <array>
#include <span>
#include <vector>

#include "counters.h"
#include "packet_memory.h"
#include "sockets.h"
#include "wire_path.h"

namespace moat {

/** Hears of envelopes that this machine's own interface cannot carry. */
class SizeObserver {
 public:
  virtual ~SizeObserver() = default;
  /** @param length octets of the UDP or raw payload. */
  virtual void TooLargeHere(uint32_t tunnel, size_t length) noexcept = 0;
};

/** Where the envelopes of one SA lie behind each other; of use to the SendQueue only. */
struct SendLane {
  uint32_t block = 0;
  uint32_t generation = 0;
};

/**
 * Collects envelopes and sends them with few system calls. It owns the memory that envelopes are made in.
 *
 * Theory of operation: each SA that sends has a block, in which its envelopes lie without gaps. Those that follow each other to one destination
 * and have one length (the last may be shorter) are one message in one piece, which the kernel, or the network card, cuts into
 * datagrams (UDP_SEGMENT). `Flush` sends all messages of a socket by one sendmmsg. What a full socket does not take stays, and nothing
 * more should be made until the socket is writable again: the queue that grows is the one that knows flows.
 */
class SendQueue {
 public:
  /** Messages and octets after which they are sent: what lies longer leaves the processor's cache. */
  static constexpr size_t kFlushMessages = 64, kFlushOctets = 256 << 10;
  /** Messages that wait at most. Above kFlushMessages only while a socket is full, when nothing but answers to path probes is made. */
  static constexpr size_t kMessages = 2 * kFlushMessages;
  /** SAs that may have an envelope open at one time; one more block than these is always to be had. */
  static constexpr size_t kLanes = 64;

  /** @param blockLength octets of each block, and so of the longest envelope. */
  SendQueue(const Sockets& sockets, Counters& counters, SizeObserver& observer, size_t blockLength);

  /**
   * Room for an envelope of at most `length` octets, which must come back by `Commit` or `Put` before the lane's next one. It stays where it
   * is through a `Flush`.
   */
  uint8_t* Take(SendLane& lane, size_t length) noexcept;
  void Put(const SendLane& lane) noexcept { blocks_[lane.block].taken = false; }
  size_t BlockLength() const noexcept { return blockLength_; }

  struct Envelope {
    /** From the start of what `Take` gave. */
    size_t length;
    const WirePath& path;
    SocketKind socket;
    uint8_t ecn = 0;
    bool dontFragment = false;
    /** Whose size is too large, should it be; 0 = nobody's. */
    uint32_t tunnel = 0;
    /** Not to be missed: that it cannot be sent is an answer. */
    bool probe = false;
  };

  void Commit(const SendLane& lane, const Envelope& envelope) noexcept;
  void Flush() noexcept;

  /** A socket is full: what it did not take waits for `Flush`. */
  bool Blocked() const noexcept { return blocked_; }
  SocketKind BlockedSocket() const noexcept { return messages_[0].socket; }

 private:
  struct Block {
    size_t used = 0;
    uint32_t generation = 0;
    /** The message that the lane's next envelope may join, if all else fits; kMessages: none. */
    uint32_t message = kMessages;
    bool taken = false;
    bool inUse = false;
  };

  /** Envelopes without gaps that leave as one. */
  struct Message {
    WirePath path;
    uint32_t block;
    uint32_t tunnel;
    uint8_t* bytes;
    size_t length;
    size_t segment;
    size_t count;
    SocketKind socket;
    uint8_t ecn;
    bool dontFragment;
    bool probe;
  };

  bool Owns(const SendLane& lane) const noexcept;
  uint32_t FreeBlock() noexcept;
  void Shift(size_t done) noexcept;
  void Release() noexcept;
  uint8_t* At(uint32_t block) const noexcept { return memory_.Get() + block * blockLength_; }
  bool Joins(const Message& message, const uint8_t* bytes, const Envelope& envelope) const noexcept;
  void Address(mmsghdr& header, size_t index) noexcept;
  size_t SendFrom(size_t first, size_t end) noexcept;
  bool SendEach(Message& message) noexcept;
  void Failed(const Message& message, size_t length, int error) noexcept;

  const Sockets& sockets_;
  Counters& counters_;
  SizeObserver& observer_;
  const size_t blockLength_;
  PacketMemory memory_;
  std::vector<Block> blocks_;
  /** No block from this one on is in use. */
  size_t blocksEnd_ = 0;
  size_t octets_ = 0;
  size_t count_ = 0;
  std::array<Message, kMessages> messages_{};
  std::array<iovec, kMessages> data_{};
  std::array<mmsghdr, kMessages> headers_{};
  struct Control {
    alignas(cmsghdr) uint8_t octets[WirePath::kControlLength];
  };
  std::array<Control, kMessages> controls_{};
  /** What each socket was last set to. */
  std::array<bool, kSocketCount> dontFragment_{};
  /** Until a socket says that it cannot. */
  bool segmentation_ = true;
  bool blocked_ = false;
};

}  // namespace moat
