#pragma once

#include <sys/socket.h>

#include <array>
#include <memory>
#include <span>

#include "counters.h"
#include "sockets.h"
#include "wire_path.h"

namespace moat {

/** Collects envelopes and sends them with few system calls. It owns the buffers that envelopes are made in. */
class SendQueue {
 public:
  static constexpr size_t kEnvelopes = 64;

  /** @param slotLength octets of each buffer. */
  SendQueue(const Sockets& sockets, Counters& counters, size_t slotLength);

  /** The buffer that the next `Commit` sends; the same until then. */
  std::span<uint8_t> Slot() noexcept { return {buffers_.get() + count_ * slotLength_, slotLength_}; }

  struct Envelope {
    /** Lies in `Slot()`. */
    std::span<uint8_t> bytes;
    /** Alive until `Flush`. */
    const WirePath& path;
    SocketKind socket;
    uint8_t ecn;
  };

  void Commit(const Envelope& envelope) noexcept;
  void Flush() noexcept;

 private:
  void SendRun(size_t first, size_t count) noexcept;

  struct Prepared {
    iovec data;
    SocketKind socket;
    alignas(cmsghdr) uint8_t control[WirePath::kControlLength];
  };

  const Sockets& sockets_;
  Counters& counters_;
  const size_t slotLength_;
  size_t count_ = 0;
  std::unique_ptr<uint8_t[]> buffers_;
  std::array<mmsghdr, kEnvelopes> headers_{};
  std::array<Prepared, kEnvelopes> prepared_{};
};

}  // namespace moat
