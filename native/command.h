#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "ike_gate.h"
#include "sa.h"

namespace moat {

/** What the control plane asks of the threads that own the SAs; see `Dataplane` in `native/index.ts`. */
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

/** What the way in has to tell the way out. */
struct InboundWasSeen {
  uint32_t spi;
};

struct PeerHasMoved {
  uint32_t tunnel;
  Path path;
};

struct ProbeHasArrived {
  uint32_t tunnel;
  uint32_t id;
};

struct ProbeWasAcknowledged {
  uint32_t tunnel;
  uint32_t id;
};

/** For the thread that has the way out. */
using OutboundCommand = std::variant<InstallOutbound, ActivateOutbound, RemoveOutbound, MovePath, SendIke, InboundWasSeen, PeerHasMoved,
                                     ProbeHasArrived, ProbeWasAcknowledged>;

/** The second thread has nothing to do with the way out any more. */
struct WayOutReturned {};

struct Stop {};

/** For the first thread, which obeys in the order given. */
using Command = std::variant<InstallInbound, RemoveInbound, DemandCookies, OutboundCommand, WayOutReturned, Stop>;

}  // namespace moat
