#include "mss.h"

#include "checksum.h"

namespace moat {
namespace {

constexpr size_t kTcpHeaderLength = 20;
constexpr uint8_t kSyn = 0x02;
constexpr uint8_t kEndOfOptions = 0, kNoOperation = 1, kMss = 2, kMssLength = 4;

/** The offset of the MSS value within the options; 0 = there is none. */
size_t FindMss(std::span<const uint8_t> options) noexcept {
  size_t at = 0;
  while (at + 1 < options.size() && options[at] != kEndOfOptions) {
    if (options[at] == kNoOperation) {
      at += 1;
      continue;
    }
    const size_t length = options[at + 1];
    if (length < 2 || length > options.size() - at) return 0;
    if (options[at] == kMss) return length == kMssLength ? at + 2 : 0;
    at += length;
  }
  return 0;
}

}  // namespace

bool ClampMss(std::span<uint8_t> packet, const IpView& view, size_t largestPacket) noexcept {
  if (view.protocol != kTcp || !view.hasPorts || view.length - view.transportOffset < kTcpHeaderLength) return false;
  uint8_t* tcp = packet.data() + view.transportOffset;
  if ((tcp[13] & kSyn) == 0) return false;
  const size_t headerLength = size_t{tcp[12]} >> 4 << 2;
  if (headerLength < kTcpHeaderLength || headerLength > view.length - view.transportOffset) return false;
  const size_t found = FindMss({tcp + kTcpHeaderLength, headerLength - kTcpHeaderLength});
  if (found == 0) return false;
  uint8_t* value = tcp + kTcpHeaderLength + found;
  const uint16_t before = LoadBe16(value);
  const uint16_t after = MssFor(largestPacket, view.source.family);
  if (before <= after) return false;
  StoreBe16(value, after);
  // At an odd offset the value's octets belong to two words of the sum, which is the same as a sum of swapped words (RFC 1071 2B).
  const bool odd = found % 2 != 0;
  const uint16_t changedFrom = odd ? __builtin_bswap16(before) : before, changedTo = odd ? __builtin_bswap16(after) : after;
  StoreBe16(tcp + 16, UpdatedChecksum(LoadBe16(tcp + 16), changedFrom, changedTo));
  return true;
}

}  // namespace moat
