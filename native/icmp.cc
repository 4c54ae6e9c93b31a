#include "icmp.h"

#include <algorithm>
#include <cstring>

#include "checksum.h"

namespace moat {
namespace {

constexpr uint8_t kIcmp = 1, kIcmpv6 = 58, kHopLimit = 64;
constexpr size_t kIcmpHeaderLength = 8;
/** RFC 1812 4.3.2.3: as much as fits 576 octets. */
constexpr size_t kMaxIcmpv4 = 576;
constexpr size_t kMinimumMtu6 = 1280;

bool IsMulticastOrNone(const Address& address) noexcept {
  if (address.value == 0) return true;
  return address.family == 4 ? static_cast<uint32_t>(address.value) >> 28 >= 14 : static_cast<uint8_t>(address.value >> 120) == 0xff;
}

/** Errors of ICMPv4 are 3, 4, 5, 11 and 12; of ICMPv6 all below 128, and redirects (137). */
bool IsIcmpError(const IpView& view) noexcept {
  if (!view.hasPorts) return view.protocol == kIcmp || view.protocol == kIcmpv6;
  const unsigned type = view.sourcePort >> 8;
  if (view.protocol == kIcmp) return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
  return view.protocol == kIcmpv6 && (type < 128 || type == 137);
}

size_t MakeTooBig4(std::span<const uint8_t> packet, size_t mtu, std::span<uint8_t> out) noexcept {
  const bool dontFragment = (packet[6] & 0x40) != 0, laterFragment = (LoadBe16(&packet[6]) & 0x1fff) != 0;
  if (!dontFragment || laterFragment) return 0;
  const size_t quoted = std::min(packet.size(), kMaxIcmpv4 - kIpv4HeaderLength - kIcmpHeaderLength);
  const size_t length = kIpv4HeaderLength + kIcmpHeaderLength + quoted;
  uint8_t* ip = out.data();
  std::memset(ip, 0, kIpv4HeaderLength + kIcmpHeaderLength);
  ip[0] = 0x45;
  StoreBe16(ip + 2, static_cast<uint16_t>(length));
  ip[8] = kHopLimit;
  ip[9] = kIcmp;
  std::memcpy(ip + 12, &packet[16], 4);
  std::memcpy(ip + 16, &packet[12], 4);
  StoreBe16(ip + 10, static_cast<uint16_t>(~FoldSum(AddToSum(0, {ip, kIpv4HeaderLength}))));
  uint8_t* icmp = ip + kIpv4HeaderLength;
  icmp[0] = 3;
  icmp[1] = 4;
  StoreBe16(icmp + 6, static_cast<uint16_t>(mtu));
  std::memcpy(icmp + kIcmpHeaderLength, packet.data(), quoted);
  StoreBe16(icmp + 2, static_cast<uint16_t>(~FoldSum(AddToSum(0, {icmp, kIcmpHeaderLength + quoted}))));
  return length;
}

size_t MakeTooBig6(std::span<const uint8_t> packet, size_t mtu, std::span<uint8_t> out) noexcept {
  const size_t quoted = std::min(packet.size(), kMinimumMtu6 - kIpv6HeaderLength - kIcmpHeaderLength);
  const size_t icmpLength = kIcmpHeaderLength + quoted;
  uint8_t* ip = out.data();
  std::memset(ip, 0, kIpv6HeaderLength + kIcmpHeaderLength);
  ip[0] = 0x60;
  StoreBe16(ip + 4, static_cast<uint16_t>(icmpLength));
  ip[6] = kIcmpv6;
  ip[7] = kHopLimit;
  std::memcpy(ip + 8, &packet[24], 16);
  std::memcpy(ip + 24, &packet[8], 16);
  uint8_t* icmp = ip + kIpv6HeaderLength;
  icmp[0] = 2;
  StoreBe32(icmp + 4, static_cast<uint32_t>(std::max(mtu, kMinimumMtu6)));
  std::memcpy(icmp + kIcmpHeaderLength, packet.data(), quoted);
  // RFC 8200 8.1: the pseudo-header is addresses, length and next header.
  const uint64_t pseudo = AddToSum(uint64_t{icmpLength} + kIcmpv6, {ip + 8, 32});
  StoreBe16(icmp + 2, static_cast<uint16_t>(~FoldSum(AddToSum(pseudo, {icmp, icmpLength}))));
  return kIpv6HeaderLength + icmpLength;
}

}  // namespace

size_t MakeTooBig(std::span<const uint8_t> packet, const IpView& view, size_t mtu, std::span<uint8_t> out) noexcept {
  if (IsMulticastOrNone(view.source) || IsMulticastOrNone(view.destination) || IsIcmpError(view)) return 0;
  return view.source.family == 4 ? MakeTooBig4(packet, mtu, out) : MakeTooBig6(packet, mtu, out);
}

}  // namespace moat
