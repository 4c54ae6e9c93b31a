#pragma once

#include <vector>

#include "coalescer.h"
#include "segmenter.h"
#include "test.h"

namespace moat::testing {

using Octets = std::vector<uint8_t>;

/** The same segments, each made in one piece. */
inline std::vector<Octets> CutWhole(const Octets& packet, const IpView& view, const OffloadHeader& offload) {
  Segmenter segmenter;
  EXPECT(segmenter.Begin(packet, view, offload));
  std::vector<Octets> all;
  for (size_t length = segmenter.NextLength(); length > 0; length = segmenter.NextLength()) {
    all.emplace_back(length);
    segmenter.WriteNext(all.back().data());
  }
  return all;
}

/** What the kernel makes of a super-packet: the packets that it stands for. */
inline std::vector<Octets> Cut(const Octets& packet, const OffloadHeader& offload) {
  IpView view;
  EXPECT_EQ(ParseIp(packet, view), Drop::kNone);
  Segmenter segmenter;
  EXPECT(segmenter.Begin(packet, view, offload));
  std::vector<Octets> all;
  Segmenter::Segment segment;
  while (segmenter.Next(segment)) {
    all.emplace_back(segment.header.begin(), segment.header.end());
    all.back().insert(all.back().end(), segment.body.begin(), segment.body.end());
  }
  EXPECT(CutWhole(packet, view, offload) == all);
  return all;
}

/** Takes what a coalescer writes, cut again as the kernel would. */
struct Written : PacketWriter {
  std::vector<Octets> packets;
  size_t writes = 0;
  void Write(std::span<const iovec> pieces, const OffloadHeader& offload, size_t count) noexcept override {
    writes += 1;
    Octets whole;
    for (const iovec& piece : pieces) {
      const auto* octets = static_cast<const uint8_t*>(piece.iov_base);
      whole.insert(whole.end(), octets, octets + piece.iov_len);
    }
    const std::vector<Octets> parts = offload.IsSuperPacket() ? Cut(whole, offload) : std::vector<Octets>{whole};
    EXPECT_EQ(parts.size(), count);
    packets.insert(packets.end(), parts.begin(), parts.end());
  }
};

inline void Add(Coalescer& coalescer, Octets& packet) {
  IpView view;
  EXPECT_EQ(ParseIp(packet, view), Drop::kNone);
  coalescer.Add(packet, view);
}

}  // namespace moat::testing
