#pragma once

#include <cstdint>
#include <sys/uio.h>

#include <optional>
#include <span>
#include <string>

#include "fd.h"
#include "offload.h"
#include "open_error.h"

namespace moat {

/** The interface that inner packets pass. It disappears with the object. */
class Tun {
 public:
  /** Creates the interface, sets its MTU and brings it up. */
  static std::optional<Tun> Open(const std::string& name, int mtu, OpenError& error);

  /** Takes a descriptor on which each read and write is one packet; for tests. @param offloads with an OffloadHeader in front. */
  explicit Tun(Fd fd, bool offloads = false) : fd_(std::move(fd)), offloads_(offloads), udpOffloads_(offloads) {}

  int Descriptor() const noexcept { return fd_.Get(); }

  /** Octets of the next packet, perhaps a super-packet; 0 when none is waiting. */
  size_t Read(std::span<uint8_t> into, OffloadHeader& offload) noexcept;

  /** False when the kernel did not take it. `offload` must be empty unless `Offloads()`. */
  bool Write(std::span<const iovec> pieces, const OffloadHeader& offload) noexcept;
  bool Write(std::span<const uint8_t> packet) noexcept;

  /** Super-packets pass in both directions. */
  bool Offloads() const noexcept { return offloads_; }
  /** UDP super-packets pass too: since Linux 6.2. */
  bool UdpOffloads() const noexcept { return udpOffloads_; }

 private:
  Tun(Fd fd, bool offloads, bool udpOffloads) : fd_(std::move(fd)), offloads_(offloads), udpOffloads_(udpOffloads) {}

  Fd fd_;
  bool offloads_ = false;
  bool udpOffloads_ = false;
};

}  // namespace moat
