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

/** Collects envelopes and sends them with few system calls. It owns the buffers ("slots") that envelopes are made in. */
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
    iovec data;
    SocketKind socket;
    bool dontFragment;
    bool probe;
    uint32_t tunnel;
    alignas(cmsghdr) uint8_t control[WirePath::kControlLength];
  };

  bool SameRun(const Prepared& a, const Prepared& b) const noexcept { return a.socket == b.socket && a.dontFragment == b.dontFragment; }
  void SendRun(size_t first, size_t count) noexcept;
  void Failed(const Prepared& envelope, int error) noexcept;

  const Sockets& sockets_;
  Counters& counters_;
  SizeObserver& observer_;
  const size_t slotLength_;
  size_t count_ = 0;
  std::unique_ptr<uint8_t[]> buffers_;
  std::vector<uint8_t*> free_;
  /** What each socket was last set to. */
  std::array<bool, kSocketCount> dontFragment_{};
  std::array<mmsghdr, kEnvelopes> headers_{};
  std::array<Prepared, kEnvelopes> prepared_{};
};

}  // namespace moat
