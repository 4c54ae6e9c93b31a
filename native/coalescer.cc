#include "coalescer.h"

#include <cstring>

#include "checksum.h"

namespace moat {
namespace {

constexpr size_t kTcpHeaderLength = 20, kUdpHeaderLength = 8, kMaxIpPacket = 65535;
constexpr size_t kTcpChecksum = 16, kUdpChecksum = 6;
constexpr uint8_t kPsh = 0x08, kAck = 0x10;

/** IPv4 with DF, whose identification says nothing (RFC 6864 4.1), or IPv6. */
bool NeverFragmented(const uint8_t* ip) noexcept { return ip[0] >> 4 == 6 || (ip[6] & 0x40) != 0; }

/** Octets of a TCP header whose packet may be joined with others; 0 = it may not. */
size_t JoinableTcp(std::span<const uint8_t> tcp) noexcept {
  if (tcp.size() < kTcpHeaderLength) return 0;
  const size_t length = size_t{tcp[12]} >> 4 << 2;
  const bool plainFlags = (tcp[12] & 0x0f) == 0 && (tcp[13] & ~kPsh) == kAck;
  return plainFlags && length >= kTcpHeaderLength ? length : 0;
}

/** RFC 768: a checksum of zero says that there is none; joined and cut again it would get one. */
size_t JoinableUdp(std::span<const uint8_t> udp) noexcept {
  if (udp.size() < kUdpHeaderLength || LoadBe16(&udp[4]) != udp.size()) return 0;
  return LoadBe16(&udp[kUdpChecksum]) == 0 ? 0 : kUdpHeaderLength;
}

bool ChecksumsAreRight(std::span<const uint8_t> packet, const IpView& view) noexcept {
  if (view.source.family == 4 && FoldSum(AddToSum(0, packet.first(kIpv4HeaderLength))) != 0xffff) return false;
  const std::span<const uint8_t> transport = packet.subspan(view.transportOffset);
  return FoldSum(AddToSum(PseudoHeaderSum(packet.data(), view.protocol, transport.size()), transport)) == 0xffff;
}

/** Whether the IP headers fit: `b` is to be the packet number `count` of those that began with `a`. */
bool SameIp(const uint8_t* a, const uint8_t* b, size_t count) noexcept {
  if (a[0] >> 4 == 6) return LoadBe32(a) == LoadBe32(b) && a[7] == b[7];
  if (a[1] != b[1] || LoadBe16(a + 6) != LoadBe16(b + 6) || a[8] != b[8]) return false;
  return NeverFragmented(a) || static_cast<uint16_t>(LoadBe16(a + 4) + count) == LoadBe16(b + 4);
}

/** TCP headers without ports, sequence number, flags and checksum: acknowledgement, window and options. */
bool SameTcp(const uint8_t* a, const uint8_t* b, size_t length) noexcept {
  return LoadBe32(a + 8) == LoadBe32(b + 8) && LoadBe16(a + 14) == LoadBe16(b + 14) &&
         std::memcmp(a + kTcpHeaderLength, b + kTcpHeaderLength, length - kTcpHeaderLength) == 0;
}

}  // namespace

/** Octets of IP and transport header of a packet that may be joined with others; 0 = it may not. */
size_t Coalescer::JoinableHeader(std::span<const uint8_t> packet, const IpView& view) const noexcept {
  const size_t ipLength = view.source.family == 4 ? kIpv4HeaderLength : kIpv6HeaderLength;
  if (!view.hasPorts || view.fragment || view.transportOffset != ipLength) return 0;
  const bool tcp = view.protocol == kTcp;
  if (tcp && !NeverFragmented(packet.data())) return 0;
  const size_t length = tcp ? JoinableTcp(packet.subspan(ipLength)) : JoinableUdp(packet.subspan(ipLength));
  // Without a body there is nothing to join.
  return length == 0 || ipLength + length >= packet.size() ? 0 : ipLength + length;
}

Coalescer::Flow* Coalescer::Find(const IpView& view) noexcept {
  for (Flow& flow : flows_) {
    const bool same = flow.count > 0 && flow.view.protocol == view.protocol && flow.view.sourcePort == view.sourcePort && flow.view.destinationPort == view.destinationPort &&
                      flow.view.source == view.source && flow.view.destination == view.destination;
    if (same) return &flow;
  }
  return nullptr;
}

bool Coalescer::Follows(const Flow& flow, std::span<const uint8_t> packet, size_t headerLength) noexcept {
  const size_t ipLength = flow.view.transportOffset, bodyLength = packet.size() - headerLength;
  if (flow.count == kPackets || headerLength != flow.headerLength || bodyLength > flow.segmentLength) return false;
  if (flow.length + bodyLength > kMaxIpPacket) return false;
  const uint8_t *a = flow.first.data() + ipLength, *b = packet.data() + ipLength;
  const bool tcp = flow.view.protocol == kTcp;
  if (tcp && (LoadBe32(b + 4) != flow.nextSequence || !SameTcp(a, b, headerLength - ipLength))) return false;
  return SameIp(flow.first.data(), packet.data(), flow.count);
}

void Coalescer::Add(std::span<uint8_t> packet, const IpView& view) noexcept {
  if (view.protocol != kTcp && !(view.protocol == kUdp && joinUdp_)) return WriteOne(packet);
  Flow* flow = Find(view);
  const size_t headerLength = JoinableHeader(packet, view);
  const bool joinable = headerLength != 0 && ChecksumsAreRight(packet, view);
  if (flow != nullptr && joinable && Follows(*flow, packet, headerLength)) return Append(*flow, packet);
  if (flow != nullptr) PushOut(*flow);
  const bool last = view.protocol == kTcp && joinable && (packet[view.transportOffset + 13] & kPsh) != 0;
  if (!joinable || last) return WriteOne(packet);
  Start(packet, view, headerLength);
}

void Coalescer::Start(std::span<uint8_t> packet, const IpView& view, size_t headerLength) noexcept {
  Flow& flow = flows_[nextFlow_];
  nextFlow_ = (nextFlow_ + 1) % kFlows;
  if (flow.count > 0) PushOut(flow);
  flow.view = view;
  flow.first = packet;
  flow.headerLength = headerLength;
  flow.segmentLength = packet.size() - headerLength;
  flow.length = packet.size();
  // Of UDP it is nothing, and not looked at.
  flow.nextSequence = LoadBe32(&packet[view.transportOffset + 4]) + static_cast<uint32_t>(flow.segmentLength);
  flow.pieces[0] = {packet.data(), packet.size()};
  flow.count = 1;
}

void Coalescer::Append(Flow& flow, std::span<uint8_t> packet) noexcept {
  const std::span<uint8_t> body = packet.subspan(flow.headerLength);
  flow.pieces[flow.count] = {body.data(), body.size()};
  flow.count += 1;
  flow.length += body.size();
  flow.nextSequence += static_cast<uint32_t>(body.size());
  const bool push = flow.view.protocol == kTcp && (packet[flow.view.transportOffset + 13] & kPsh) != 0;
  if (push) flow.first[flow.view.transportOffset + 13] |= kPsh;
  // Only the last may be shorter or say PSH.
  if (push || body.size() < flow.segmentLength) PushOut(flow);
}

void Coalescer::PushOut(Flow& flow) noexcept {
  const size_t count = flow.count;
  flow.count = 0;
  if (count == 1) return WriteOne(flow.first);
  const OffloadHeader offload = FinishHeaders(flow);
  writer_.Write(std::span(flow.pieces).first(count), offload, count);
}

/** Makes the first packet's headers those of the super-packet. */
OffloadHeader Coalescer::FinishHeaders(Flow& flow) noexcept {
  uint8_t* ip = flow.first.data();
  const size_t ipLength = flow.view.transportOffset, transportLength = flow.length - ipLength;
  const bool ipv4 = ipLength == kIpv4HeaderLength, tcp = flow.view.protocol == kTcp;
  OffloadHeader offload;
  offload.flags = OffloadHeader::kNeedsChecksum;
  offload.gsoType = !tcp ? OffloadHeader::kUdp : ipv4 ? OffloadHeader::kTcp4 : OffloadHeader::kTcp6;
  offload.headerLength = static_cast<uint16_t>(flow.headerLength);
  offload.segmentLength = static_cast<uint16_t>(flow.segmentLength);
  offload.checksumStart = static_cast<uint16_t>(ipLength);
  offload.checksumOffset = tcp ? kTcpChecksum : kUdpChecksum;
  if (ipv4) {
    StoreBe16(ip + 2, static_cast<uint16_t>(flow.length));
    StoreBe16(ip + 10, 0);
    StoreBe16(ip + 10, static_cast<uint16_t>(~FoldSum(AddToSum(0, {ip, kIpv4HeaderLength}))));
  } else {
    StoreBe16(ip + 4, static_cast<uint16_t>(flow.length - kIpv6HeaderLength));
  }
  if (!tcp) StoreBe16(ip + ipLength + 4, static_cast<uint16_t>(transportLength));
  // Whoever completes the checksum expects the pseudo-header's sum in its place.
  StoreBe16(ip + ipLength + offload.checksumOffset, FoldSum(PseudoHeaderSum(ip, flow.view.protocol, transportLength)));
  return offload;
}

void Coalescer::WriteOne(std::span<uint8_t> packet) noexcept {
  const iovec piece{packet.data(), packet.size()};
  writer_.Write({&piece, 1}, {}, 1);
}

void Coalescer::Flush() noexcept {
  // The oldest first.
  for (size_t i = 0; i < kFlows; i += 1) {
    Flow& flow = flows_[(nextFlow_ + i) % kFlows];
    if (flow.count > 0) PushOut(flow);
  }
}

}  // namespace moat
