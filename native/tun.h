#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "fd.h"
#include "open_error.h"

namespace moat {

/** The interface that inner packets pass. It disappears with the object. */
class Tun {
 public:
  /** Creates the interface, sets its MTU and brings it up. */
  static std::optional<Tun> Open(const std::string& name, int mtu, OpenError& error);

  /** Takes a descriptor on which each read and write is one packet; for tests. */
  explicit Tun(Fd fd) : fd_(std::move(fd)) {}

  int Descriptor() const noexcept { return fd_.Get(); }

  /** Octets of the next packet; 0 when none is waiting. */
  size_t Read(std::span<uint8_t> into) noexcept;

  /** False when the kernel did not take it. */
  bool Write(std::span<const uint8_t> packet) noexcept;

 private:
  Fd fd_;
};

}  // namespace moat
