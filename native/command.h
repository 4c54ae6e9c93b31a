#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "ike_gate.h"
#include "sa.h"

namespace moat {

/** What the control plane asks of the thread that owns the SAs; see `Dataplane` in `native/index.ts`. */
struct InstallInbound {
  std::unique_ptr<InboundSa> sa;
};

struct InstallOutbound {
  std::unique_ptr<OutboundSa> sa;
};

struct ActivateOutbound {
  uint32_t tunnel;
  uint32_t spi;
};

struct RemoveInbound {
  uint32_t spi;
};

struct RemoveOutbound {
  uint32_t tunnel;
  uint32_t spi;
};

struct MovePath {
  uint32_t tunnel;
  Path path;
};

struct SendIke {
  std::vector<uint8_t> message;
  Path path;
};

struct DemandCookies {
  CookieSecrets secrets;
  uint64_t untilMs;
};

struct Stop {};

using Command =
    std::variant<InstallInbound, InstallOutbound, ActivateOutbound, RemoveInbound, RemoveOutbound, MovePath, SendIke, DemandCookies, Stop>;

}  // namespace moat
