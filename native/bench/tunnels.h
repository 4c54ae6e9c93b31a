#pragma once

#include <vector>

#include "outbound_table.h"

namespace moat {

/** Tunnels 1 to `count`, each to a network of its own: `DestinationIn(1)` is in the first one's. */
inline void InstallTunnels(OutboundTable& table, uint32_t count) {
  const std::vector<uint8_t> key(36, 3);
  for (uint32_t i = 1; i <= count; i += 1) {
    OutboundSettings settings;
    settings.sa.tunnel = settings.sa.spi = i;
    settings.sa.key = key;
    settings.sa.local = {{{0, 4}, {UINT32_MAX, 4}}};
    settings.sa.remote = {{{uint128{10} << 24 | i << 8, 4}, {uint128{10} << 24 | i << 8 | 255, 4}}};
    settings.path.remote.address.family = settings.path.local.address.family = 4;
    table.Install(MakeOutboundSa(settings));
  }
}

inline Address DestinationIn(uint32_t tunnel) { return {uint128{10} << 24 | tunnel << 8 | 1, 4}; }

}  // namespace moat
