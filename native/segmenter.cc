#include "segmenter.h"

#include <algorithm>
#include <cstring>

#include "checksum.h"

namespace moat {
namespace {

constexpr size_t kTcpHeaderLength = 20, kUdpHeaderLength = 8;
constexpr uint8_t kFin = 0x01, kPsh = 0x08, kCwr = 0x80;

size_t TransportHeaderLength(std::span<const uint8_t> packet, const IpView& view) noexcept {
  const size_t left = view.length - view.transportOffset;
  if (view.protocol == kUdp) return left < kUdpHeaderLength ? 0 : kUdpHeaderLength;
  if (view.protocol != kTcp || left < kTcpHeaderLength) return 0;
  const size_t length = size_t{packet[view.transportOffset + 12]} >> 4 << 2;
  return length < kTcpHeaderLength || length > left ? 0 : length;
}

}  // namespace

bool CompleteChecksum(std::span<uint8_t> packet, const OffloadHeader& offload) noexcept {
  const size_t field = size_t{offload.checksumStart} + offload.checksumOffset;
  if (field + 2 > packet.size()) return false;
  // The field holds the sum of the pseudo-header, so it is part of what is summed.
  const auto checksum = static_cast<uint16_t>(~FoldSum(AddToSum(0, packet.subspan(offload.checksumStart))));
  // RFC 768: zero would say that there is none. 16 is TCP's, to which both zeros are the same.
  StoreBe16(&packet[field], checksum == 0 ? 0xffff : checksum);
  return true;
}

bool Segmenter::Begin(std::span<const uint8_t> packet, const IpView& view, const OffloadHeader& offload) noexcept {
  const size_t transportLength = TransportHeaderLength(packet, view);
  headerLength_ = view.transportOffset + transportLength;
  const uint8_t type = offload.gsoType & ~OffloadHeader::kEcn;
  const bool known = type == OffloadHeader::kUdp ? view.protocol == kUdp : view.protocol == kTcp;
  if (transportLength == 0 || headerLength_ > kMaxHeader || offload.segmentLength == 0 || !known) return false;
  std::copy_n(packet.begin(), headerLength_, header_);
  left_ = packet.subspan(headerLength_, view.length - headerLength_);
  segmentLength_ = offload.segmentLength;
  transportOffset_ = view.transportOffset;
  protocol_ = view.protocol;
  done_ = 0;
  identification_ = LoadBe16(header_ + 4);
  if (protocol_ == kTcp) {
    sequence_ = LoadBe32(header_ + transportOffset_ + 4);
    tcpFlags_ = header_[transportOffset_ + 13];
  }
  SumConstants();
  return true;
}

/** Clears what differs from segment to segment, and sums the rest once for all of them. */
void Segmenter::SumConstants() noexcept {
  uint8_t* transport = header_ + transportOffset_;
  StoreBe16(transport + (protocol_ == kTcp ? 16 : 6), 0);
  if (protocol_ == kTcp) {
    StoreBe32(transport + 4, 0);
    transport[13] = 0;
  } else {
    StoreBe16(transport + 4, 0);
  }
  const std::span<const uint8_t> header(transport, headerLength_ - transportOffset_);
  transportSum_ = AddShortToSum(PseudoHeaderSum(header_, protocol_, 0), header);
  if (header_[0] >> 4 == 6) return;
  StoreBe32(header_ + 2, 0);
  StoreBe16(header_ + 10, 0);
  ipSum_ = AddShortToSum(0, {header_, size_t{header_[0] & 0x0fu} * 4});
}

bool Segmenter::Next(Segment& segment) noexcept {
  if (left_.empty()) return false;
  const std::span<const uint8_t> body = TakeBody();
  FinishHeader(body.size(), AddToSum(0, body));
  segment = {{header_, headerLength_}, body};
  return true;
}

void Segmenter::WriteNext(uint8_t* to) noexcept {
  const std::span<const uint8_t> body = TakeBody();
  FinishHeader(body.size(), CopyAndAddToSum(0, body, to + headerLength_));
  std::memcpy(to, header_, headerLength_);
}

std::span<const uint8_t> Segmenter::TakeBody() noexcept {
  const std::span<const uint8_t> body = left_.first(std::min(segmentLength_, left_.size()));
  left_ = left_.subspan(body.size());
  return body;
}

void Segmenter::FinishHeader(size_t bodyLength, uint64_t bodySum) noexcept {
  const size_t transportLength = headerLength_ - transportOffset_ + bodyLength;
  FixIp(headerLength_ + bodyLength);
  uint8_t* transport = header_ + transportOffset_;
  // The length is part of the pseudo-header; UDP has it in its own header too.
  uint64_t sum = transportSum_ + transportLength + bodySum;
  if (protocol_ == kTcp) {
    sum += FixTcp(done_ == 0, left_.empty());
  } else {
    sum += transportLength;
    StoreBe16(transport + 4, static_cast<uint16_t>(transportLength));
  }
  const auto checksum = static_cast<uint16_t>(~FoldSum(sum));
  StoreBe16(transport + (protocol_ == kTcp ? 16 : 6), checksum == 0 && protocol_ == kUdp ? 0xffff : checksum);
  done_ += bodyLength;
  identification_ += 1;
}

void Segmenter::FixIp(size_t length) noexcept {
  if (header_[0] >> 4 == 6) {
    StoreBe16(header_ + 4, static_cast<uint16_t>(length - kIpv6HeaderLength));
    return;
  }
  StoreBe16(header_ + 2, static_cast<uint16_t>(length));
  StoreBe16(header_ + 4, identification_);
  StoreBe16(header_ + 10, static_cast<uint16_t>(~FoldSum(ipSum_ + length + identification_)));
}

/** RFC 3168 6.1.2 puts CWR on one packet, the first; FIN and PSH speak of the end. @returns what the changed fields add to the sum. */
uint64_t Segmenter::FixTcp(bool first, bool last) noexcept {
  uint8_t* tcp = header_ + transportOffset_;
  const uint32_t sequence = sequence_ + static_cast<uint32_t>(done_);
  StoreBe32(tcp + 4, sequence);
  uint8_t flags = tcpFlags_;
  if (!first) flags &= static_cast<uint8_t>(~kCwr);
  if (!last) flags &= static_cast<uint8_t>(~(kFin | kPsh));
  tcp[13] = flags;
  return uint64_t{sequence >> 16} + (sequence & 0xffff) + flags;
}

}  // namespace moat
