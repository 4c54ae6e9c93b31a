#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "address.h"
#include "fd.h"
#include "open_error.h"

namespace moat {

/** The sockets of a plane. Both families of a kind stand together, IPv4 first. */
enum class SocketKind : uint8_t { kIke4, kIke6, kNatTraversal4, kNatTraversal6, kRaw4, kRaw6, kCount };

inline constexpr size_t kSocketCount = static_cast<size_t>(SocketKind::kCount);

inline bool IsRaw(SocketKind kind) noexcept { return kind == SocketKind::kRaw4 || kind == SocketKind::kRaw6; }
inline bool IsIke(SocketKind kind) noexcept { return kind == SocketKind::kIke4 || kind == SocketKind::kIke6; }

struct Ports {
  uint16_t ike = 0;
  uint16_t natTraversal = 0;
};

/**
 * UDP on both ports and ESP as IP protocol 50, for both families. Without IPv6 on this machine its sockets are missing;
 * without CAP_NET_RAW so are the raw ones.
 */
class Sockets {
 public:
  static std::optional<Sockets> Open(Ports ports, OpenError& error);

  /** -1 when it is missing. */
  int Descriptor(SocketKind kind) const noexcept { return fds_[static_cast<size_t>(kind)].Get(); }
  uint16_t Port(SocketKind kind) const noexcept { return IsRaw(kind) ? 0 : IsIke(kind) ? ports_.ike : ports_.natTraversal; }

  SocketKind UdpFor(uint8_t family, uint16_t localPort) const noexcept;
  static SocketKind RawFor(uint8_t family) noexcept { return family == 4 ? SocketKind::kRaw4 : SocketKind::kRaw6; }

 private:
  Sockets() = default;

  Ports ports_;
  std::array<Fd, kSocketCount> fds_;
};

/** Octets of the largest packet that this machine's route and interface for the path carry; 1500 when there is no route. */
size_t RouteMtu(const Path& path) noexcept;

/** Whether outgoing packets of a socket carry DF and are refused above the interface's MTU, or are fragmented. */
void SetDontFragment(int fd, SocketKind kind, bool dontFragment) noexcept;

}  // namespace moat
