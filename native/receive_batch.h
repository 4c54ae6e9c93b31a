#pragma once

#include <sys/socket.h>

#include <array>
#include <span>

#include "packet_memory.h"
#include "sockets.h"
#include "wire_path.h"

namespace moat {

/** What came over one path; `bytes` may be changed in place until the next `Receive`. */
struct Received {
  /** One datagram, or several of `datagramLength` octets each, the last perhaps shorter (UDP_GRO). */
  std::span<uint8_t> bytes;
  size_t datagramLength = 0;
  Path path;
  /** ECN bits of the outer header. */
  uint8_t ecn = 0;
};

/** Reads datagrams of one socket, many with one system call, into buffers that it keeps: few, so that they stay in the cache. */
class ReceiveBatch {
 public:
  static constexpr size_t kMessages = 16;

  ReceiveBatch();

  /** Reads what is waiting, at most kMessages. */
  size_t Receive(int fd) noexcept;

  /** @param localPort the port of the socket that was read. */
  Received At(size_t index, uint16_t localPort) noexcept;

 private:
  /** The largest IP packet, and a multiple of a page. */
  static constexpr size_t kBufferLength = 65536;
  static constexpr size_t kControlLength = WirePath::kControlLength + 2 * CMSG_SPACE(sizeof(int));

  struct Slot {
    sockaddr_storage from;
    iovec data;
    alignas(cmsghdr) uint8_t control[kControlLength];
  };

  PacketMemory buffers_{kMessages * kBufferLength};
  std::array<mmsghdr, kMessages> headers_{};
  std::array<Slot, kMessages> slots_{};
  /** Headers that the kernel has written to: the others are as it wants them. */
  size_t used_ = kMessages;
};

}  // namespace moat
