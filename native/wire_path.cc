#include "wire_path.h"

#include <netinet/udp.h>

#include <cstring>

namespace moat {

WirePath::WirePath(const Path& path)
    : localPort_(path.local.port), family_(path.remote.address.family), anyLocal_(path.local.address.Unspecified()) {
  if (family_ == 4) {
    remote4_ = {};
    remote4_.sin_family = AF_INET;
    remote4_.sin_port = htons(path.remote.port);
    remote4_.sin_addr.s_addr = htonl(static_cast<uint32_t>(path.remote.address.value));
    local4_ = {};
    local4_.ipi_spec_dst.s_addr = htonl(static_cast<uint32_t>(path.local.address.value));
    return;
  }
  remote6_.sin6_family = AF_INET6;
  remote6_.sin6_port = htons(path.remote.port);
  StoreAddress6(remote6_.sin6_addr.s6_addr, path.remote.address);
  StoreAddress6(local6_.ipi6_addr.s6_addr, path.local.address);
  // The port field of a raw socket's address is a protocol number and must be zero (raw(7)).
  rawRemote6_ = remote6_;
  rawRemote6_.sin6_port = 0;
}

void WirePath::FillFrom(msghdr& message, uint8_t* control, uint8_t ecn) const noexcept {
  message.msg_control = control;
  message.msg_controllen = kControlLength;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  size_t used = 0;
  if (!anyLocal_) {
    header->cmsg_level = family_ == 4 ? static_cast<int>(IPPROTO_IP) : static_cast<int>(IPPROTO_IPV6);
    header->cmsg_type = family_ == 4 ? IP_PKTINFO : IPV6_PKTINFO;
    const size_t length = family_ == 4 ? sizeof local4_ : sizeof local6_;
    header->cmsg_len = CMSG_LEN(length);
    std::memcpy(CMSG_DATA(header), family_ == 4 ? static_cast<const void*>(&local4_) : &local6_, length);
    used += CMSG_SPACE(length);
  }
  if (ecn != 0) {
    header = reinterpret_cast<cmsghdr*>(control + used);
    header->cmsg_level = family_ == 4 ? static_cast<int>(IPPROTO_IP) : static_cast<int>(IPPROTO_IPV6);
    header->cmsg_type = family_ == 4 ? IP_TOS : IPV6_TCLASS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int trafficClass = ecn;
    std::memcpy(CMSG_DATA(header), &trafficClass, sizeof trafficClass);
    used += CMSG_SPACE(sizeof(int));
  }
  message.msg_controllen = used;
  if (used == 0) message.msg_control = nullptr;
}

void WirePath::Fill(msghdr& message, uint8_t* control, uint8_t ecn) const noexcept {
  message.msg_name = const_cast<sockaddr_in6*>(&remote6_);
  message.msg_namelen = family_ == 4 ? sizeof remote4_ : sizeof remote6_;
  FillFrom(message, control, ecn);
}

void WirePath::FillRaw(msghdr& message, uint8_t* control, uint8_t ecn) const noexcept {
  Fill(message, control, ecn);
  if (family_ == 6) message.msg_name = const_cast<sockaddr_in6*>(&rawRemote6_);
}

void AddSegmentLength(msghdr& message, uint8_t* control, uint16_t length) noexcept {
  auto* header = reinterpret_cast<cmsghdr*>(control + message.msg_controllen);
  header->cmsg_level = SOL_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN(sizeof length);
  std::memcpy(CMSG_DATA(header), &length, sizeof length);
  message.msg_control = control;
  message.msg_controllen += CMSG_SPACE(sizeof length);
}

Endpoint EndpointOf(const sockaddr* address) noexcept {
  if (address->sa_family == AF_INET) {
    sockaddr_in at;
    std::memcpy(&at, address, sizeof at);
    return {{ntohl(at.sin_addr.s_addr), 4}, ntohs(at.sin_port)};
  }
  if (address->sa_family != AF_INET6) return {};
  sockaddr_in6 at;
  std::memcpy(&at, address, sizeof at);
  return {LoadAddress6(at.sin6_addr.s6_addr), ntohs(at.sin6_port)};
}

}  // namespace moat
