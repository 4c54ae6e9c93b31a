#include "coalescer.h"

#include <cstring>

#include "checksum.h"

namespace moat {
namespace {

constexpr size_t kTcpHeaderLength = 20, kMaxIpPacket = 65535;
constexpr uint8_t kPsh = 0x08, kAck = 0x10;

/** Octets of IP and TCP header of a packet that may be joined with others; 0 = it may not. */
size_t JoinableHeader(std::span<const uint8_t> packet, const IpView& view) noexcept {
  const bool ipv4 = view.source.family == 4;
  const size_t ipLength = ipv4 ? kIpv4HeaderLength : kIpv6HeaderLength;
  if (view.protocol != kTcp || !view.hasPorts || view.fragment || view.transportOffset != ipLength) return 0;
  if (ipv4 && (packet[6] & 0x40) == 0) return 0;
  if (packet.size() < ipLength + kTcpHeaderLength) return 0;
  const uint8_t* tcp = packet.data() + ipLength;
  const size_t headerLength = ipLength + (size_t{tcp[12]} >> 4 << 2);
  const bool plainFlags = (tcp[12] & 0x0f) == 0 && (tcp[13] & ~kPsh) == kAck;
  return headerLength >= ipLength + kTcpHeaderLength && headerLength < packet.size() && plainFlags ? headerLength : 0;
}

bool ChecksumsAreRight(std::span<const uint8_t> packet, const IpView& view) noexcept {
  if (view.source.family == 4 && FoldSum(AddToSum(0, packet.first(kIpv4HeaderLength))) != 0xffff) return false;
  const std::span<const uint8_t> transport = packet.subspan(view.transportOffset);
  return FoldSum(AddToSum(PseudoHeaderSum(packet.data(), kTcp, transport.size()), transport)) == 0xffff;
}

/** What all packets of a super-packet have in common in their IP headers. */
bool SameIp(const uint8_t* a, const uint8_t* b) noexcept {
  if (a[0] >> 4 == 6) return LoadBe32(a) == LoadBe32(b) && a[7] == b[7];
  return a[1] == b[1] && LoadBe16(a + 6) == LoadBe16(b + 6) && a[8] == b[8];
}

}  // namespace

Coalescer::Flow* Coalescer::Find(const IpView& view) noexcept {
  for (Flow& flow : flows_) {
    const bool same = flow.count > 0 && flow.view.sourcePort == view.sourcePort && flow.view.destinationPort == view.destinationPort &&
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
  const bool sameTcp = LoadBe32(b + 4) == flow.nextSequence && LoadBe32(a + 8) == LoadBe32(b + 8) && LoadBe16(a + 14) == LoadBe16(b + 14) &&
                       std::memcmp(a + kTcpHeaderLength, b + kTcpHeaderLength, headerLength - ipLength - kTcpHeaderLength) == 0;
  return sameTcp && SameIp(flow.first.data(), packet.data());
}

void Coalescer::Add(std::span<uint8_t> packet, const IpView& view) noexcept {
  if (view.protocol != kTcp) return WriteOne(packet);
  Flow* flow = Find(view);
  const size_t headerLength = JoinableHeader(packet, view);
  const bool joinable = headerLength != 0 && ChecksumsAreRight(packet, view);
  if (flow != nullptr && joinable && Follows(*flow, packet, headerLength)) return Append(*flow, packet);
  if (flow != nullptr) PushOut(*flow);
  if (!joinable || (packet[view.transportOffset + 13] & kPsh) != 0) return WriteOne(packet);
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
  const bool push = (packet[flow.view.transportOffset + 13] & kPsh) != 0;
  if (push) flow.first[flow.view.transportOffset + 13] |= kPsh;
  // Only the last may be shorter or say PSH.
  if (push || body.size() < flow.segmentLength) PushOut(flow);
}

void Coalescer::PushOut(Flow& flow) noexcept {
  const size_t count = flow.count;
  flow.count = 0;
  if (count == 1) return WriteOne(flow.first);
  uint8_t* ip = flow.first.data();
  const size_t ipLength = flow.view.transportOffset;
  OffloadHeader offload;
  offload.flags = OffloadHeader::kNeedsChecksum;
  offload.gsoType = ipLength == kIpv4HeaderLength ? OffloadHeader::kTcp4 : OffloadHeader::kTcp6;
  offload.headerLength = static_cast<uint16_t>(flow.headerLength);
  offload.segmentLength = static_cast<uint16_t>(flow.segmentLength);
  offload.checksumStart = static_cast<uint16_t>(ipLength);
  offload.checksumOffset = 16;
  if (ipLength == kIpv4HeaderLength) {
    StoreBe16(ip + 2, static_cast<uint16_t>(flow.length));
    StoreBe16(ip + 10, 0);
    StoreBe16(ip + 10, static_cast<uint16_t>(~FoldSum(AddToSum(0, {ip, kIpv4HeaderLength}))));
  } else {
    StoreBe16(ip + 4, static_cast<uint16_t>(flow.length - kIpv6HeaderLength));
  }
  // Whoever completes the checksum expects the pseudo-header's sum in its place.
  StoreBe16(ip + ipLength + 16, FoldSum(PseudoHeaderSum(ip, kTcp, flow.length - ipLength)));
  writer_.Write(std::span(flow.pieces).first(count), offload, count);
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
