#include "tun.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace moat {
namespace {

/** UDP segmentation, since Linux 6.2; older headers do not name it. */
constexpr unsigned kUso4 = 0x20, kUso6 = 0x40;

/**
 * Packets that wait in the kernel while the thread is elsewhere: 5 ms of 400,000 a second. The kernel's own 500 are lost in one. What
 * the thread finds there it takes at once, so that nothing stands in it.
 */
constexpr int kQueueLength = 2048;

/** Pieces of the longest super-packet that is written. */
constexpr size_t kMaxPieces = 64;

/**
 * Without this the kernel gives the interface a link-local address and sends router solicitations into the tunnel.
 * Where IPv6 is missing there is nothing to write.
 */
void RefuseOwnIpv6Address(const std::string& name) {
  const std::string file = "/proc/sys/net/ipv6/conf/" + name + "/addr_gen_mode";
  const Fd setting(open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (setting.Valid() && write(setting.Get(), "1", 1) != 1) return;
}

bool Configure(const std::string& name, int mtu, OpenError& error) {
  const Fd control(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::memcpy(request.ifr_name, name.c_str(), name.size());
  request.ifr_mtu = mtu;
  if (ioctl(control.Get(), SIOCSIFMTU, &request) != 0) {
    error = ErrorOf(errno, "set the MTU of " + name + " to " + std::to_string(mtu));
    return false;
  }
  request.ifr_qlen = kQueueLength;
  if (ioctl(control.Get(), SIOCSIFTXQLEN, &request) != 0) {
    error = ErrorOf(errno, "set the queue length of " + name);
    return false;
  }
  RefuseOwnIpv6Address(name);
  bool up = ioctl(control.Get(), SIOCGIFFLAGS, &request) == 0;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  up = up && ioctl(control.Get(), SIOCSIFFLAGS, &request) == 0;
  if (!up) error = ErrorOf(errno, "bring the interface " + name + " up");
  return up;
}

}  // namespace

std::optional<Tun> Tun::Open(const std::string& name, int mtu, OpenError& error) {
  if (name.empty() || name.size() >= IFNAMSIZ) {
    error = {"EINVAL", "'" + name + "' is no interface name: it needs 1 to 15 characters"};
    return std::nullopt;
  }
  Fd fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd.Valid()) {
    const bool missing = errno == ENOENT || errno == ENODEV || errno == ENXIO;
    error = missing ? OpenError{"ENOTUN", "there is no /dev/net/tun: the kernel module 'tun' is missing or not passed into this container"}
                    : ErrorOf(errno, "open /dev/net/tun");
    return std::nullopt;
  }
  ifreq request{};
  std::memcpy(request.ifr_name, name.c_str(), name.size());
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  if (ioctl(fd.Get(), TUNSETIFF, &request) != 0) {
    error = errno == EBUSY ? OpenError{"EBUSY", "the interface " + name + " exists already and is in use"}
                           : ErrorOf(errno, "create the interface " + name);
    return std::nullopt;
  }
  if (!Configure(name, mtu, error)) return std::nullopt;
  // Without these the kernel sends no super-packets; it takes ours of TCP all the same, and those of UDP where it knows the flag.
  constexpr unsigned kTcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, kUdp = kUso4 | kUso6;
  const bool udp = ioctl(fd.Get(), TUNSETOFFLOAD, kTcp | kUdp) == 0;
  if (!udp) ioctl(fd.Get(), TUNSETOFFLOAD, kTcp);
  return Tun(std::move(fd), true, udp);
}

size_t Tun::Read(std::span<uint8_t> into, OffloadHeader& offload) noexcept {
  if (!offloads_) {
    const ssize_t length = read(fd_.Get(), into.data(), into.size());
    return length > 0 ? static_cast<size_t>(length) : 0;
  }
  const iovec pieces[] = {{&offload, sizeof offload}, {into.data(), into.size()}};
  const ssize_t length = readv(fd_.Get(), pieces, 2);
  return length > static_cast<ssize_t>(sizeof offload) ? static_cast<size_t>(length) - sizeof offload : 0;
}

bool Tun::Write(std::span<const iovec> pieces, const OffloadHeader& offload) noexcept {
  iovec all[kMaxPieces + 1];
  size_t count = 0, length = 0;
  if (offloads_) all[count++] = {const_cast<OffloadHeader*>(&offload), sizeof offload};
  for (const iovec& piece : pieces) all[count++] = piece;
  for (size_t i = 0; i < count; i += 1) length += all[i].iov_len;
  return writev(fd_.Get(), all, static_cast<int>(count)) == static_cast<ssize_t>(length);
}

bool Tun::Write(std::span<const uint8_t> packet) noexcept {
  const iovec piece{const_cast<uint8_t*>(packet.data()), packet.size()};
  return Write({&piece, 1}, {});
}

}  // namespace moat
