#include "sockets.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cerrno>

#include "wire_path.h"

namespace moat {
namespace {

/** Octets: a burst of a few milliseconds at 10 Gbit/s must not be lost while the thread is elsewhere. */
constexpr int kReceiveBuffer = 7 << 20;

/**
 * Octets, of which the kernel makes twice as many. What waits in the socket waits behind everything before it, so that this is the delay that the
 * flow queue cannot help: 4 ms at a gigabit. It is room for a few full messages.
 */
constexpr int kSendBuffer = 256 << 10;

void SetInt(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

void SetBuffers(int fd) {
  // The forced variants pass the system's limit but need CAP_NET_ADMIN; without it the limit must do.
  SetInt(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  SetInt(fd, SOL_SOCKET, SO_SNDBUF, kSendBuffer);
  SetInt(fd, SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBuffer);
  SetInt(fd, SOL_SOCKET, SO_SNDBUFFORCE, kSendBuffer);
}

void SetFamilyOptions(int fd, int family) {
  if (family == AF_INET) {
    SetInt(fd, IPPROTO_IP, IP_PKTINFO, 1);
    SetInt(fd, IPPROTO_IP, IP_RECVTOS, 1);
    SetInt(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    return;
  }
  SetInt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  SetInt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
  SetInt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
}

Fd OpenSocket(int family, int type, int protocol) {
  Fd fd(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!fd.Valid()) return fd;
  if (family == AF_INET6) SetInt(fd.Get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  SetBuffers(fd.Get());
  SetFamilyOptions(fd.Get(), family);
  return fd;
}

/** 0, or the errno. */
int BindAny(int fd, int family, uint16_t port) {
  sockaddr_in any4{};
  any4.sin_family = AF_INET;
  any4.sin_port = htons(port);
  sockaddr_in6 any6{};
  any6.sin6_family = AF_INET6;
  any6.sin6_port = htons(port);
  const auto* address = family == AF_INET ? reinterpret_cast<sockaddr*>(&any4) : reinterpret_cast<sockaddr*>(&any6);
  return bind(fd, address, family == AF_INET ? sizeof any4 : sizeof any6) == 0 ? 0 : errno;
}

Fd OpenUdp(int family, uint16_t port, OpenError& error) {
  Fd fd = OpenSocket(family, SOCK_DGRAM, IPPROTO_UDP);
  // Datagrams of one flow may come glued together, with their length beside; kernels before 5.12 cannot or should not.
  if (fd.Valid()) SetInt(fd.Get(), SOL_UDP, UDP_GRO, 1);
  const int failure = fd.Valid() ? BindAny(fd.Get(), family, port) : errno;
  const bool noIpv6 = family == AF_INET6 && (failure == EAFNOSUPPORT || failure == EADDRNOTAVAIL);
  if (failure == 0) return fd;
  const std::string name = "UDP port " + std::to_string(port);
  if (failure == EADDRINUSE) {
    error = {"EADDRINUSE", name + (family == AF_INET ? " (IPv4)" : " (IPv6)") + " is in use by another program"};
  } else if (!noIpv6) {
    error = ErrorOf(failure, "bind " + name);
  }
  return Fd();
}

}  // namespace

std::optional<Sockets> Sockets::Open(Ports ports, OpenError& error) {
  Sockets sockets;
  sockets.ports_ = ports;
  const auto place = [&](SocketKind kind) -> Fd& { return sockets.fds_[static_cast<size_t>(kind)]; };
  place(SocketKind::kIke4) = OpenUdp(AF_INET, ports.ike, error);
  if (!error.Set()) place(SocketKind::kIke6) = OpenUdp(AF_INET6, ports.ike, error);
  if (!error.Set()) place(SocketKind::kNatTraversal4) = OpenUdp(AF_INET, ports.natTraversal, error);
  if (!error.Set()) place(SocketKind::kNatTraversal6) = OpenUdp(AF_INET6, ports.natTraversal, error);
  if (error.Set()) return std::nullopt;
  place(SocketKind::kRaw4) = OpenSocket(AF_INET, SOCK_RAW, IPPROTO_ESP);
  place(SocketKind::kRaw6) = OpenSocket(AF_INET6, SOCK_RAW, IPPROTO_ESP);
  return sockets;
}

SocketKind Sockets::UdpFor(uint8_t family, uint16_t localPort) const noexcept {
  if (localPort == ports_.natTraversal) return family == 4 ? SocketKind::kNatTraversal4 : SocketKind::kNatTraversal6;
  return family == 4 ? SocketKind::kIke4 : SocketKind::kIke6;
}

size_t RouteMtu(const Path& path) noexcept {
  constexpr size_t kDefault = 1500;
  const bool ipv4 = path.remote.address.family == 4;
  const Fd fd(socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const WirePath to(path);
  msghdr message{};
  alignas(cmsghdr) uint8_t control[WirePath::kControlLength];
  to.Fill(message, control, 0);
  if (connect(fd.Get(), static_cast<const sockaddr*>(message.msg_name), message.msg_namelen) != 0) return kDefault;
  int mtu = 0;
  socklen_t length = sizeof mtu;
  const int failed = ipv4 ? getsockopt(fd.Get(), IPPROTO_IP, IP_MTU, &mtu, &length)
                          : getsockopt(fd.Get(), IPPROTO_IPV6, IPV6_MTU, &mtu, &length);
  constexpr int kSmallest = 576;
  return failed != 0 ? kDefault : static_cast<size_t>(mtu < kSmallest ? kSmallest : mtu);
}

void SetDontFragment(int fd, SocketKind kind, bool dontFragment) noexcept {
  const bool ipv4 = kind == SocketKind::kIke4 || kind == SocketKind::kNatTraversal4 || kind == SocketKind::kRaw4;
  // PROBE sets DF and ignores what ICMP told the kernel: the plane probes for itself.
  if (ipv4) {
    SetInt(fd, IPPROTO_IP, IP_MTU_DISCOVER, dontFragment ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
  } else {
    SetInt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, dontFragment ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT);
  }
}

}  // namespace moat
