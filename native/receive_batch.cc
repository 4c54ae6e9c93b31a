#include "receive_batch.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <cstring>

namespace moat {
namespace {

void ReadControl(const cmsghdr* header, Received& received) noexcept {
  const uint8_t* data = CMSG_DATA(header);
  if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
    in_pktinfo info;
    std::memcpy(&info, data, sizeof info);
    received.path.local.address = {ntohl(info.ipi_spec_dst.s_addr), 4};
  } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
    in6_pktinfo info;
    std::memcpy(&info, data, sizeof info);
    received.path.local.address = LoadAddress6(info.ipi6_addr.s6_addr);
  } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TOS) {
    received.ecn = data[0] & 3;
  } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_TCLASS) {
    int trafficClass;
    std::memcpy(&trafficClass, data, sizeof trafficClass);
    received.ecn = static_cast<uint8_t>(trafficClass & 3);
  } else if (header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_GRO) {
    int length;
    std::memcpy(&length, data, sizeof length);
    if (length > 0) received.datagramLength = static_cast<size_t>(length);
  }
}

}  // namespace

ReceiveBatch::ReceiveBatch() {
  for (size_t i = 0; i < kMessages; i += 1) {
    slots_[i].data = {buffers_.Get() + i * kBufferLength, kBufferLength};
    headers_[i].msg_hdr.msg_name = &slots_[i].from;
    headers_[i].msg_hdr.msg_iov = &slots_[i].data;
    headers_[i].msg_hdr.msg_iovlen = 1;
    headers_[i].msg_hdr.msg_control = slots_[i].control;
  }
}

size_t ReceiveBatch::Receive(int fd) noexcept {
  for (size_t i = 0; i < used_; i += 1) {
    headers_[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage);
    headers_[i].msg_hdr.msg_controllen = kControlLength;
  }
  const int count = recvmmsg(fd, headers_.data(), kMessages, MSG_DONTWAIT, nullptr);
  used_ = count > 0 ? static_cast<size_t>(count) : 0;
  return used_;
}

Received ReceiveBatch::At(size_t index, uint16_t localPort) noexcept {
  msghdr& message = headers_[index].msg_hdr;
  Received received;
  received.bytes = {static_cast<uint8_t*>(slots_[index].data.iov_base), headers_[index].msg_len};
  received.datagramLength = received.bytes.size();
  received.path.remote = EndpointOf(reinterpret_cast<sockaddr*>(&slots_[index].from));
  received.path.local.port = localPort;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    ReadControl(header, received);
  }
  return received;
}

}  // namespace moat
