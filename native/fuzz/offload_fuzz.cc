#include <vector>

#include "coalescer.h"
#include "segmenter.h"

namespace {

struct Sink : moat::PacketWriter {
  size_t packets = 0;
  void Write(std::span<const iovec> pieces, const moat::OffloadHeader&, size_t count) noexcept override {
    packets += count;
    size_t length = 0;
    for (const iovec& piece : pieces) length += piece.iov_len;
    if (length > 65535) __builtin_trap();
  }
};

}  // namespace

/* Packets of a peer through the coalescer, and a super-packet through the segmenter: length (16), octets. */
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace moat;
  std::vector<std::vector<uint8_t>> packets;
  while (size >= 2) {
    const size_t length = std::min(size_t{LoadBe16(data)} % 512, size - 2);
    packets.emplace_back(data + 2, data + 2 + length);
    data += 2 + length;
    size -= 2 + length;
  }
  Sink sink;
  Coalescer coalescer(sink, true);
  size_t added = 0;
  for (std::vector<uint8_t>& packet : packets) {
    IpView view;
    if (ParseIp(packet, view) != Drop::kNone) continue;
    OffloadHeader offload{1, static_cast<uint8_t>(packet.back() % 8), 0, static_cast<uint16_t>(packet.size() % 40), packet[0], packet[1]};
    Segmenter segmenter;
    Segmenter::Segment segment;
    size_t octets = 0;
    if (segmenter.Begin(packet, view, offload)) {
      while (segmenter.Next(segment)) octets += segment.body.size();
      if (octets > packet.size()) __builtin_trap();
    }
    CompleteChecksum(packet, offload);
    if (ParseIp(packet, view) != Drop::kNone) continue;
    coalescer.Add(std::span(packet).first(view.length), view);
    added += 1;
  }
  coalescer.Flush();
  if (sink.packets != added) __builtin_trap();
  return 0;
}
