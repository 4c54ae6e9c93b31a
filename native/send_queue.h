#pragma once

#include <sys/socket.h>

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "counters.h"
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

/**
 * Collects envelopes and sends them with few system calls. It owns the buffers ("slots") that envelopes are made in.
 *
 * Theory of operation: at `Flush`, envelopes that follow each other to one destination and have one length (the last may be shorter) become one
 * message that the kernel, or the network card, cuts into datagrams (UDP_SEGMENT); all messages for one socket leave by one sendmmsg.
 */
class SendQueue {
 public:
  static constexpr size_t kEnvelopes = 64;

  /** @param slotLength octets of each slot. */
  SendQueue(const Sockets& sockets, Counters& counters, SizeObserver& observer, size_t slotLength);

  /** A slot to make an envelope in; it comes back with `Commit` or `Put`. At most kEnvelopes may be out at once. */
  uint8_t* Take() noexcept;
  void Put(uint8_t* slot) noexcept { free_.push_back(slot); }
  size_t SlotLength() const noexcept { return slotLength_; }

  struct Envelope {
    uint8_t* slot;
    /** Lies in `slot`. */
    std::span<uint8_t> bytes;
    /** Alive until `Flush`. */
    const WirePath& path;
    SocketKind socket;
    uint8_t ecn = 0;
    bool dontFragment = false;
    /** Whose size is too large, should it be; 0 = nobody's. */
    uint32_t tunnel = 0;
    /** Not to be missed: that it cannot be sent is an answer. */
    bool probe = false;
  };

  void Commit(const Envelope& envelope) noexcept;
  void Flush() noexcept;

 private:
  struct Prepared {
    uint8_t* slot;
    const WirePath* path;
    SocketKind socket;
    uint8_t ecn;
    bool dontFragment;
    bool probe;
    uint32_t tunnel;
  };

  /** Envelopes that leave as one message. */
  struct Group {
    size_t first;
    size_t count;
    alignas(cmsghdr) uint8_t control[WirePath::kControlLength];
  };

  bool Joins(size_t first, size_t next) const noexcept;
  size_t GroupFrom(size_t first) const noexcept;
  void Address(mmsghdr& header, Group& group) noexcept;
  void SendGroups(size_t first, size_t count) noexcept;
  void SendEach(const Group& group) noexcept;
  void Failed(size_t index, int error) noexcept;

  const Sockets& sockets_;
  Counters& counters_;
  SizeObserver& observer_;
  const size_t slotLength_;
  size_t count_ = 0;
  std::unique_ptr<uint8_t[]> buffers_;
  std::vector<uint8_t*> free_;
  /** What each socket was last set to. */
  std::array<bool, kSocketCount> dontFragment_{};
  std::array<Prepared, kEnvelopes> prepared_{};
  std::array<iovec, kEnvelopes> data_{};
  std::array<Group, kEnvelopes> groups_{};
  std::array<mmsghdr, kEnvelopes> headers_{};
  /** Until a socket says that it cannot. */
  bool segmentation_ = true;
};

}  // namespace moat
