#include "aggfrag.h"

namespace moat::aggfrag {

Block ReadBlock(std::span<const uint8_t> octets) noexcept {
  const uint8_t version = octets[0] >> 4;
  if (version == 0) return {Block::Kind::kPad};
  if (version == 4) {
    const size_t headerLength = size_t{octets[0] & 0x0fu} * 4;
    if (headerLength < kIpv4HeaderLength) return {Block::Kind::kMalformed};
    if (octets.size() < 4) return {Block::Kind::kRunt};
    const size_t length = LoadBe16(&octets[2]);
    // A length below the header's would not advance the reader (Linux CVE-2026-31472).
    return length < headerLength ? Block{Block::Kind::kMalformed} : Block{Block::Kind::kPacket, length};
  }
  if (version != 6) return {Block::Kind::kMalformed};
  if (octets.size() < 6) return {Block::Kind::kRunt};
  return {Block::Kind::kPacket, kIpv6HeaderLength + LoadBe16(&octets[4])};
}

}  // namespace moat::aggfrag
