#pragma once

#include <sys/socket.h>

#include <vector>

#include "inbound.h"
#include "outbound.h"

namespace moat::bench {

/** Nobody listens. */
struct Silence : EventSink, InboundNotices {
  bool Post(Event) noexcept override { return true; }
  void Ended() noexcept override {}
  void InboundSeen(uint32_t) noexcept override {}
  bool PeerMoved(uint32_t, const Path&) noexcept override { return true; }
  void ProbeArrived(uint32_t, uint32_t) noexcept override {}
  void ProbeAcknowledged(uint32_t, uint32_t) noexcept override {}
};

inline Tun TunOver(int fd) {
  const int octets = 8 << 20;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &octets, sizeof octets);
  return Tun(Fd(fd));
}

/** A packet of `length` octets from 10.1.x.y to 10.2.x.y, where x.y is the number of the tunnel. */
inline std::vector<uint8_t> PacketOf(uint32_t tunnel, size_t length) {
  std::vector<uint8_t> packet(length, 0x5a);
  packet[0] = 0x45;
  packet[1] = 0;
  StoreBe16(&packet[2], static_cast<uint16_t>(length));
  StoreBe32(&packet[4], 0x40000000);
  StoreBe32(&packet[8], 0x40fd0000);
  StoreBe32(&packet[12], 0x0a010000 + (tunnel & 0xffff));
  StoreBe32(&packet[16], 0x0a020000 + (tunnel & 0xffff));
  return packet;
}

/** The settings of a tunnel between two hosts, the same for both directions of a bench. */
inline OutboundSettings SettingsOf(uint32_t tunnel, const Path& path, std::span<const uint8_t> key, bool aggfrag = true) {
  const auto host = [&](uint32_t net) {
    const Address address{net + (tunnel & 0xffff), 4};
    return Selectors{{address, address}};
  };
  OutboundSettings settings;
  settings.sa.tunnel = tunnel;
  settings.sa.spi = 0x10000 + tunnel;
  settings.sa.key = key;
  settings.sa.esn = true;
  settings.sa.aggfrag = aggfrag;
  settings.sa.local = host(0x0a010000);
  settings.sa.remote = host(0x0a020000);
  settings.path = path;
  return settings;
}

/** The same SA as its receiver sees it. */
inline SaSettings Mirrored(const OutboundSettings& settings) {
  SaSettings sa = settings.sa;
  std::swap(sa.local, sa.remote);
  return sa;
}

}  // namespace moat::bench
