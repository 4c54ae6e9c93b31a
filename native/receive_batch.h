#pragma once

#include <sys/socket.h>

#include <array>
#include <memory>
#include <span>

#include "sockets.h"
#include "wire_path.h"

namespace moat {

/** One datagram as it came; `bytes` may be changed in place until the next `Receive`. */
struct Received {
  std::span<uint8_t> bytes;
  Path path;
  /** ECN bits of the outer header. */
  uint8_t ecn = 0;
};

/** Reads datagrams of one socket, many with one system call, into buffers that it keeps. */
class ReceiveBatch {
 public:
  static constexpr size_t kDatagrams = 64;

  ReceiveBatch();

  /** Reads what is waiting, at most kDatagrams. */
  size_t Receive(int fd) noexcept;

  /** @param localPort the port of the socket that was read. */
  Received At(size_t index, uint16_t localPort) noexcept;

 private:
  /** The largest IP packet, and a multiple of a page. */
  static constexpr size_t kBufferLength = 65536;
  static constexpr size_t kControlLength = WirePath::kControlLength + CMSG_SPACE(sizeof(int));

  struct Slot {
    sockaddr_storage from;
    iovec data;
    alignas(cmsghdr) uint8_t control[kControlLength];
  };

  std::unique_ptr<uint8_t[]> buffers_;
  std::array<mmsghdr, kDatagrams> headers_{};
  std::array<Slot, kDatagrams> slots_{};
};

}  // namespace moat
