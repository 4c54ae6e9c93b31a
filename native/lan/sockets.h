// Sockets of one interface. Plain system calls, no N-API: addon.cc converts.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace moat::lan {

// What failed, for people ("bind 10.0.0.1 port 67 on lan0") and as errno; error 0 = success.
struct Failure {
  std::string what;
  int error = 0;
};

struct Opened {
  int fd = -1;
  Failure failure;
};

struct Interface {
  int index;
  std::array<uint8_t, 6> mac;
  int mtu;
  bool up;
};

// nullopt: no such interface now.
std::optional<Interface> FindInterface(const std::string& name);

struct UdpOptions {
  std::string interface;  // SO_BINDTODEVICE: datagrams of other interfaces never reach the socket
  std::string address;    // IPv4 or IPv6 text; may be 255.255.255.255 to hear broadcasts only
  uint16_t port;
  std::string group;  // IPv6 multicast group to join on the interface; empty = none
};

Opened OpenUdp(const UdpOptions& options);

// UDP on one address, of any interface that has it; IPv6 sockets hear IPv6 only.
Opened OpenDatagrams(const std::string& address, uint16_t port);

// AF_PACKET. `arp`: hears ARP replies only (a kernel filter drops the rest); otherwise hears nothing, sends frames.
Opened OpenPacket(const std::string& interface, bool arp);

// ICMPv6 for router advertisements: hears router solicitations only, sends with hop limit 255 (RFC 4861 6.1).
Opened OpenRouterSocket(const std::string& interface);

}  // namespace moat::lan
