#include "esp.h"

#include "bytes.h"

namespace moat::esp {
namespace {

constexpr size_t kMaxAdditional = 12;

/** RFC 4106 5: SPI and sequence number; with extended sequence numbers the high half stands between. */
size_t WriteAdditional(uint8_t* at, uint32_t spi, uint64_t sequence, bool esn) noexcept {
  StoreBe32(at, spi);
  if (!esn) {
    StoreBe32(at + 4, static_cast<uint32_t>(sequence));
    return 8;
  }
  StoreBe64(at + 4, sequence);
  return 12;
}

/** RFC 4303 2.4: the default content of padding is 1, 2, 3, and a receiver should look. */
bool PaddingIsRight(const uint8_t* end, size_t length) noexcept {
  uint8_t wrong = 0;
  for (size_t i = 0; i < length; i += 1) wrong |= static_cast<uint8_t>(end[-static_cast<ptrdiff_t>(i) - 1] ^ (length - i));
  return wrong == 0;
}

Drop SplitTrailer(std::span<uint8_t> plain, Opened& opened) noexcept {
  const uint8_t* trailer = plain.data() + plain.size() - 2;
  const size_t padding = trailer[0];
  if (padding + 2 > plain.size() || !PaddingIsRight(trailer, padding)) return Drop::kMalformed;
  opened.nextHeader = trailer[1];
  opened.payload = plain.first(plain.size() - 2 - padding);
  return Drop::kNone;
}

}  // namespace

Drop Seal(Sealer& sealer, std::span<uint8_t> payload, uint8_t nextHeader) noexcept {
  if (sealer.sequence >= (sealer.esn ? UINT64_MAX : UINT32_MAX)) return Drop::kSequenceExhausted;
  const uint64_t sequence = sealer.sequence += 1;
  uint8_t* header = payload.data() - kHeadroom;
  uint8_t* end = payload.data() + payload.size();
  const size_t padding = (0 - payload.size() - 2) & 3;
  for (size_t i = 1; i <= padding; i += 1) *end++ = static_cast<uint8_t>(i);
  *end++ = static_cast<uint8_t>(padding);
  *end++ = nextHeader;
  StoreBe32(header, sealer.spi);
  StoreBe32(header + 4, static_cast<uint32_t>(sequence));
  StoreBe64(header + kHeaderLength, sequence);
  uint8_t additional[kMaxAdditional];
  const size_t additionalLength = WriteAdditional(additional, sealer.spi, sequence, sealer.esn);
  const bool sealed = sealer.aead->Seal(header + kHeaderLength, {additional, additionalLength}, {payload.data(), end}, end);
  return sealed ? Drop::kNone : Drop::kSendFailed;
}

Drop Open(Opener& opener, std::span<uint8_t> packet, Opened& opened) noexcept {
  if (packet.size() < kMinLength) return Drop::kMalformed;
  const uint32_t low = LoadBe32(packet.data() + 4);
  const uint64_t sequence = opener.esn ? opener.window.Extend(low) : low;
  if (!opener.window.Check(sequence)) return Drop::kReplayed;
  const std::span<uint8_t> body = packet.subspan(kHeadroom, packet.size() - kHeadroom - kIcvLength);
  const uint8_t* tag = body.data() + body.size();
  uint8_t additional[kMaxAdditional];
  const size_t additionalLength = WriteAdditional(additional, opener.spi, sequence, opener.esn);
  if (!opener.aead->Open(packet.data() + kHeaderLength, {additional, additionalLength}, body, tag)) return Drop::kAuthFailed;
  opened.sequence = sequence;
  opened.newest = sequence > opener.window.Highest();
  opener.window.Accept(sequence);
  return SplitTrailer(body, opened);
}

}  // namespace moat::esp
