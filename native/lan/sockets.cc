#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace moat::lan {
namespace {

Opened Fail(int fd, std::string what) {
  const int error = errno;
  if (fd >= 0) close(fd);
  return {-1, {std::move(what), error}};
}

template <typename T>
bool Set(int fd, int level, int name, const T& value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

bool BindToDevice(int fd, const std::string& interface) {
  return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(), interface.size()) == 0;
}

bool Ask(int fd, const std::string& name, unsigned long request, ifreq& out) {
  out = {};
  memcpy(out.ifr_name, name.c_str(), std::min(name.size(), sizeof out.ifr_name - 1));
  return ioctl(fd, request, &out) == 0;
}

bool JoinGroup(int fd, const std::string& interface, const char* group) {
  ipv6_mreq membership{};
  membership.ipv6mr_interface = if_nametoindex(interface.c_str());
  return inet_pton(AF_INET6, group, &membership.ipv6mr_multiaddr) == 1 &&
         Set(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, membership);
}

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

std::optional<Address> ParseAddress(const std::string& text, uint16_t port) {
  Address out;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    out.length = sizeof *v4;
    return out;
  }
  out = {};
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) != 1) return std::nullopt;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  out.length = sizeof *v6;
  return out;
}

// Ethernet header 14 octets, then ARP with its operation at octet 6.
sock_filter kArpReplies[] = {
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARPOP_REPLY, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0xffff),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

}  // namespace

std::optional<Interface> FindInterface(const std::string& name) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  ifreq index, hardware, mtu, flags;
  const bool found = name.size() < IFNAMSIZ && Ask(fd, name, SIOCGIFINDEX, index) && Ask(fd, name, SIOCGIFHWADDR, hardware) &&
                     Ask(fd, name, SIOCGIFMTU, mtu) && Ask(fd, name, SIOCGIFFLAGS, flags);
  close(fd);
  if (!found) return std::nullopt;
  Interface out{index.ifr_ifindex, {}, mtu.ifr_mtu, (flags.ifr_flags & IFF_UP) != 0};
  memcpy(out.mac.data(), hardware.ifr_hwaddr.sa_data, out.mac.size());
  return out;
}

Opened OpenUdp(const UdpOptions& options) {
  const std::string what = "bind " + options.address + " port " + std::to_string(options.port) + " on " + options.interface;
  const auto address = ParseAddress(options.address, options.port);
  if (!address) {
    errno = EINVAL;
    return Fail(-1, what);
  }
  const int family = address->storage.ss_family;
  const int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || !BindToDevice(fd, options.interface)) return Fail(fd, what);
  if (family == AF_INET) {
    // Freebind: the address may be given to the interface only after us.
    if (!Set(fd, SOL_SOCKET, SO_BROADCAST, 1) || !Set(fd, IPPROTO_IP, IP_FREEBIND, 1)) return Fail(fd, what);
  } else if (!Set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) {
    return Fail(fd, what);
  }
  // As much as the system allows: a whole house that wakes up after a power cut asks in the same moment.
  Set(fd, SOL_SOCKET, SO_RCVBUF, 1 << 20);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address->storage), address->length) != 0) return Fail(fd, what);
  if (!options.group.empty() && !JoinGroup(fd, options.interface, options.group.c_str())) {
    return Fail(fd, "join " + options.group + " on " + options.interface);
  }
  return {fd, {}};
}

Opened OpenDatagrams(const std::string& text, uint16_t port) {
  const std::string what = "listen on " + text + " port " + std::to_string(port);
  const auto address = ParseAddress(text, port);
  if (!address) {
    errno = EINVAL;
    return Fail(-1, what);
  }
  const int fd = socket(address->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Fail(fd, what);
  if (address->storage.ss_family == AF_INET6 && !Set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) return Fail(fd, what);
  // As much as the system allows: what comes while JavaScript is busy waits here.
  Set(fd, SOL_SOCKET, SO_RCVBUF, 1 << 20);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address->storage), address->length) != 0) return Fail(fd, what);
  return {fd, {}};
}

Opened OpenPacket(const std::string& interface, bool arp) {
  const std::string what = "open a packet socket on " + interface;
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Fail(fd, what);
  const sock_fprog filter{std::size(kArpReplies), kArpReplies};
  if (arp && !Set(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter)) return Fail(fd, what);
  // Protocol 0 until here, so that nothing arrives before the filter stands.
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = arp ? htons(ETH_P_ARP) : 0;
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  if (address.sll_ifindex == 0) return Fail(fd, what);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return Fail(fd, what);
  return {fd, {}};
}

Opened OpenRouterSocket(const std::string& interface) {
  const std::string what = "open an ICMPv6 socket on " + interface;
  const int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
  if (fd < 0) return Fail(fd, what);
  icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ND_ROUTER_SOLICIT, &filter);
  const int device = static_cast<int>(if_nametoindex(interface.c_str()));
  const bool ready = Set(fd, IPPROTO_ICMPV6, ICMP6_FILTER, filter) && BindToDevice(fd, interface) &&
                     Set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 255) && Set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 255) &&
                     Set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0) && Set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, device) &&
                     Set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) && JoinGroup(fd, interface, "ff02::2");
  if (!ready) return Fail(fd, what);
  return {fd, {}};
}

}  // namespace moat::lan
