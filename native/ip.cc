#include "ip.h"

namespace moat {
namespace {

constexpr uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51, kDestinationOptions = 60;
constexpr uint8_t kIcmp = 1, kDccp = 33, kIcmpv6 = 58, kSctp = 132, kUdpLite = 136;

/** RFC 8200 4.1 knows seven; more is a waste of the reader's time. */
constexpr int kMaxExtensionHeaders = 8;

void ReadPorts(std::span<const uint8_t> bytes, IpView& view) noexcept {
  const uint8_t* at = bytes.data() + view.transportOffset;
  const size_t left = view.length - view.transportOffset;
  switch (view.protocol) {
    case kTcp:
    case kUdp:
    case kDccp:
    case kSctp:
    case kUdpLite:
      if (left < 4) return;
      view.sourcePort = LoadBe16(at);
      view.destinationPort = LoadBe16(at + 2);
      view.hasPorts = true;
      return;
    case kIcmp:
    case kIcmpv6:
      if (left < 2) return;
      view.sourcePort = view.destinationPort = LoadBe16(at);
      view.hasPorts = true;
      return;
    default:
      return;
  }
}

Drop ParseIpv4(std::span<const uint8_t> bytes, IpView& view) noexcept {
  if (bytes.size() < kIpv4HeaderLength) return Drop::kMalformed;
  const uint8_t* at = bytes.data();
  const size_t headerLength = size_t{at[0] & 0x0fu} * 4;
  const size_t totalLength = LoadBe16(at + 2);
  if (headerLength < kIpv4HeaderLength || totalLength < headerLength || totalLength > bytes.size()) return Drop::kMalformed;
  view.length = totalLength;
  view.source = LoadAddress4(at + 12);
  view.destination = LoadAddress4(at + 16);
  view.protocol = at[9];
  view.ecn = at[1] & 3;
  const uint16_t fragment = LoadBe16(at + 6);
  view.fragment = (fragment & 0x3fff) != 0;
  const bool first = (fragment & 0x1fff) == 0;
  view.transportOffset = first ? headerLength : totalLength;
  if (first) ReadPorts(bytes, view);
  return Drop::kNone;
}

/** Octets of an extension header whose first two octets are at `at`. */
size_t ExtensionLength(uint8_t type, const uint8_t* at) noexcept {
  if (type == kFragment) return 8;
  if (type == kAuthentication) return (size_t{at[1]} + 2) * 4;
  return (size_t{at[1]} + 1) * 8;
}

bool IsExtension(uint8_t type) noexcept {
  return type == kHopByHop || type == kRouting || type == kFragment || type == kAuthentication || type == kDestinationOptions;
}

/** Walks to the upper-layer header. A chain that ends early leaves the protocol known and the ports unknown. */
Drop WalkExtensions(std::span<const uint8_t> bytes, IpView& view) noexcept {
  size_t offset = kIpv6HeaderLength;
  for (int count = 0; IsExtension(view.protocol); count += 1) {
    if (count == kMaxExtensionHeaders || view.length - offset < 8) return Drop::kMalformed;
    const uint8_t* at = bytes.data() + offset;
    const size_t length = ExtensionLength(view.protocol, at);
    if (length > view.length - offset) return Drop::kMalformed;
    const bool laterFragment = view.protocol == kFragment && (LoadBe16(at + 2) & 0xfff8) != 0;
    if (view.protocol == kFragment) view.fragment = true;
    view.protocol = at[0];
    offset += length;
    if (laterFragment) {
      view.transportOffset = view.length;
      return Drop::kNone;
    }
  }
  view.transportOffset = offset;
  ReadPorts(bytes, view);
  return Drop::kNone;
}

Drop ParseIpv6(std::span<const uint8_t> bytes, IpView& view) noexcept {
  if (bytes.size() < kIpv6HeaderLength) return Drop::kMalformed;
  const uint8_t* at = bytes.data();
  const size_t payloadLength = LoadBe16(at + 4);
  view.protocol = at[6];
  // RFC 2675: zero with a hop-by-hop header announces a jumbogram, whose length is elsewhere.
  if (payloadLength == 0 && view.protocol == kHopByHop) return Drop::kMalformed;
  if (kIpv6HeaderLength + payloadLength > bytes.size()) return Drop::kMalformed;
  view.length = kIpv6HeaderLength + payloadLength;
  view.source = LoadAddress6(at + 8);
  view.destination = LoadAddress6(at + 24);
  view.ecn = (at[1] >> 4) & 3;
  return WalkExtensions(bytes, view);
}

}  // namespace

Drop ParseIp(std::span<const uint8_t> bytes, IpView& view) noexcept {
  view = IpView{};
  if (bytes.empty()) return Drop::kMalformed;
  switch (bytes[0] >> 4) {
    case 4:
      return ParseIpv4(bytes, view);
    case 6:
      return ParseIpv6(bytes, view);
    default:
      return Drop::kMalformed;
  }
}

}  // namespace moat
