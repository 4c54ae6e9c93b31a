#include "packet.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace impair {
namespace {

constexpr uint8_t kFragmentHeader = 44;

bool HasPorts(uint8_t protocol) { return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP; }

bool IsExtension(uint8_t protocol) { return protocol == 0 || protocol == 43 || protocol == 60; }

void ReadPorts(std::span<const uint8_t> packet, IpView& view) {
  if (!HasPorts(view.protocol) || view.later_fragment || packet.size() < view.header_length + 4) return;
  view.source_port = Load16(&packet[view.header_length]);
  view.destination_port = Load16(&packet[view.header_length + 2]);
}

std::optional<IpView> ParseIpv4(std::span<const uint8_t> packet) {
  if (packet.size() < 20) return std::nullopt;
  IpView view{.version = 4, .protocol = packet[9]};
  view.header_length = (packet[0] & 15u) * 4u;
  if (view.header_length < 20 || Load16(&packet[2]) != packet.size() || view.header_length > packet.size()) {
    return std::nullopt;
  }
  view.may_fragment = (packet[6] & 0x40) == 0;
  view.fragment = (Load16(&packet[6]) & 0x3FFF) != 0;
  view.later_fragment = (Load16(&packet[6]) & 0x1FFF) != 0;
  ReadPorts(packet, view);
  return view;
}

std::optional<IpView> ParseIpv6(std::span<const uint8_t> packet) {
  if (packet.size() < 40 || Load16(&packet[4]) + 40u != packet.size()) return std::nullopt;
  IpView view{.version = 6, .protocol = packet[6], .header_length = 40};
  while (IsExtension(view.protocol) || view.protocol == kFragmentHeader) {
    if (packet.size() < view.header_length + 8) return std::nullopt;
    const uint8_t* header = &packet[view.header_length];
    const bool fragment = view.protocol == kFragmentHeader;
    if (fragment) view.fragment = true;
    if (fragment && (Load16(header + 2) & 0xFFF8) != 0) view.later_fragment = true;
    view.protocol = header[0];
    view.header_length += fragment ? 8 : (header[1] + 1u) * 8u;
    if (view.header_length > packet.size()) return std::nullopt;
  }
  ReadPorts(packet, view);
  return view;
}

/// The options that RFC 791 wants in every fragment: those with the copied bit, padded to four octets.
Bytes CopiedOptions(std::span<const uint8_t> options) {
  Bytes copied;
  for (size_t at = 0; at < options.size() && options[at] != 0;) {
    const size_t length = options[at] == 1 ? 1 : at + 1 < options.size() ? options[at + 1] : 0;
    if (length == 0 || at + length > options.size()) break;
    if (options[at] & 0x80) copied.insert(copied.end(), options.begin() + at, options.begin() + at + length);
    at += length;
  }
  copied.resize((copied.size() + 3) / 4 * 4);
  return copied;
}

void SealIpv4(Bytes& packet) {
  const size_t header = (packet[0] & 15u) * 4u;
  Store16(&packet[2], static_cast<uint32_t>(packet.size()));
  Store16(&packet[10], 0);
  Store16(&packet[10], Checksum({packet.data(), header}));
}

Bytes TooBigIpv4(std::span<const uint8_t> packet, uint32_t mtu) {
  // RFC 1812 4.3.2.3: as much of the original as fits 576 octets.
  const size_t quoted = std::min(packet.size(), size_t{576 - 28});
  Bytes error(28 + quoted);
  const uint8_t header[] = {0x45, 0xC0, 0, 0, 0, 0, 0, 0, 64, IPPROTO_ICMP, 0, 0, 192, 0, 2, 1};
  std::memcpy(error.data(), header, sizeof header);
  std::memcpy(&error[16], &packet[12], 4);
  error[20] = 3;
  error[21] = 4;
  Store16(&error[26], mtu);
  std::memcpy(&error[28], packet.data(), quoted);
  Store16(&error[22], Checksum(std::span(error).subspan(20)));
  SealIpv4(error);
  return error;
}

Bytes TooBigIpv6(std::span<const uint8_t> packet, uint32_t mtu) {
  // RFC 4443 3.2: as much of the original as fits 1280 octets.
  const size_t quoted = std::min(packet.size(), size_t{1280 - 48});
  Bytes error(48 + quoted);
  error[0] = 0x60;
  Store16(&error[4], static_cast<uint32_t>(8 + quoted));
  error[6] = IPPROTO_ICMPV6;
  error[7] = 64;
  const uint8_t router[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  std::memcpy(&error[8], router, 16);
  std::memcpy(&error[24], &packet[8], 16);
  error[40] = 2;
  Store16(&error[44], mtu >> 16);
  Store16(&error[46], mtu);
  std::memcpy(&error[48], packet.data(), quoted);
  uint32_t pseudo = static_cast<uint32_t>(8 + quoted) + IPPROTO_ICMPV6;
  for (size_t at = 8; at < 40; at += 2) pseudo += Load16(&error[at]);
  Store16(&error[42], Checksum(std::span(error).subspan(40), pseudo));
  return error;
}

}  // namespace

std::optional<IpView> ParseIp(std::span<const uint8_t> packet) {
  if (packet.empty()) return std::nullopt;
  if (packet[0] >> 4 == 4) return ParseIpv4(packet);
  if (packet[0] >> 4 == 6) return ParseIpv6(packet);
  return std::nullopt;
}

uint16_t Checksum(std::span<const uint8_t> octets, uint32_t sum) {
  for (size_t at = 0; at + 1 < octets.size(); at += 2) sum += Load16(&octets[at]);
  if (octets.size() % 2 != 0) sum += static_cast<uint32_t>(octets.back() << 8);
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void RestoreHop(std::span<uint8_t> packet) {
  uint8_t& hops = packet[0] >> 4 == 4 ? packet[8] : packet[7];
  if (hops == 255) return;
  hops += 1;
  if (packet[0] >> 4 == 6) return;
  // RFC 1624: the TTL is the high octet of its word, so the checksum falls by 0x0100.
  const uint32_t sum = Load16(&packet[10]) + 0xFFFFu - 0x0100u;
  Store16(&packet[10], (sum & 0xFFFF) + (sum >> 16));
}

std::vector<Bytes> Fragment(std::span<const uint8_t> packet, size_t mtu) {
  const size_t header = (packet[0] & 15u) * 4u;
  const uint16_t flags = Load16(&packet[6]);
  const Bytes later_options = CopiedOptions(packet.subspan(20, header - 20));
  std::vector<Bytes> pieces;
  for (size_t at = header; at < packet.size();) {
    const bool first = at == header;
    Bytes piece(packet.begin(), packet.begin() + (first ? header : 20));
    if (!first) piece.insert(piece.end(), later_options.begin(), later_options.end());
    piece[0] = static_cast<uint8_t>(0x40 | piece.size() / 4);
    const size_t room = (mtu - piece.size()) / 8 * 8;
    const size_t left = packet.size() - at;
    const bool last = left <= mtu - piece.size();
    const size_t length = last ? left : room;
    const uint32_t offset = (flags & 0x1FFFu) + static_cast<uint32_t>((at - header) / 8);
    Store16(&piece[6], offset | (!last || (flags & 0x2000) != 0 ? 0x2000u : 0u));
    piece.insert(piece.end(), packet.begin() + at, packet.begin() + at + length);
    SealIpv4(piece);
    pieces.push_back(std::move(piece));
    at += length;
  }
  return pieces;
}

Bytes TooBig(std::span<const uint8_t> packet, const IpView& view, uint32_t mtu) {
  return view.version == 4 ? TooBigIpv4(packet, mtu) : TooBigIpv6(packet, mtu);
}

bool MayCauseError(std::span<const uint8_t> packet, const IpView& view) {
  if (view.later_fragment || packet.size() <= view.header_length) return false;
  const uint8_t type = packet[view.header_length];
  if (view.version == 4) {
    const bool error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    return (packet[16] & 0xF0) != 0xE0 && !(view.protocol == IPPROTO_ICMP && error);
  }
  return !(view.protocol == IPPROTO_ICMPV6 && type < 128);
}

}  // namespace impair
