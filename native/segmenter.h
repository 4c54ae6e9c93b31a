#pragma once

#include <algorithm>
#include <span>

#include "ip.h"
#include "offload.h"

namespace moat {

/** Writes the checksum that the kernel left to us; false when the header points out of the packet. */
bool CompleteChecksum(std::span<uint8_t> packet, const OffloadHeader& offload) noexcept;

/**
 * Cuts a TCP or UDP super-packet of TUN into the packets that it stands for, with right lengths, sequence numbers, flags and
 * checksums. Headers are made one by one; bodies are the super-packet's own octets.
 */
class Segmenter {
 public:
  struct Segment {
    /** Valid until the next call. */
    std::span<const uint8_t> header;
    std::span<const uint8_t> body;
  };

  /** False when the packet is not what `offload` says. `packet` must stay. */
  bool Begin(std::span<const uint8_t> packet, const IpView& view, const OffloadHeader& offload) noexcept;

  /** False when there is no further segment. */
  bool Next(Segment& segment) noexcept;

  /** Octets of the next segment, headers included; 0 = there is none. */
  size_t NextLength() const noexcept { return left_.empty() ? 0 : headerLength_ + std::min(segmentLength_, left_.size()); }
  /** `Next`, of which there is one, in one piece: writes `NextLength()` octets to `to`. */
  void WriteNext(uint8_t* to) noexcept;

 private:
  /** IP with options or extension headers, and TCP with options. */
  static constexpr size_t kMaxHeader = 192;

  void SumConstants() noexcept;
  std::span<const uint8_t> TakeBody() noexcept;
  void FinishHeader(size_t bodyLength, uint64_t bodySum) noexcept;
  void FixIp(size_t length) noexcept;
  uint64_t FixTcp(bool first, bool last) noexcept;

  uint8_t header_[kMaxHeader];
  std::span<const uint8_t> left_;
  size_t segmentLength_ = 0;
  size_t headerLength_ = 0;
  size_t transportOffset_ = 0;
  size_t done_ = 0;
  /** Of the IPv4 header, and of the transport header with its pseudo-header, without the fields that differ from segment to segment. */
  uint64_t ipSum_ = 0;
  uint64_t transportSum_ = 0;
  uint32_t sequence_ = 0;
  uint16_t identification_ = 0;
  uint8_t tcpFlags_ = 0;
  uint8_t protocol_ = 0;
};

}  // namespace moat
