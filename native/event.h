#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "address.h"

namespace moat {

/** The three events of `native/index.ts`. */
struct DatagramEvent {
  std::vector<uint8_t> bytes;
  Path path;
  /** It wants to begin something, and anybody can have sent it. */
  bool ofStranger = false;
};

struct AcquireEvent {
  Address source;
  Address destination;
  uint8_t protocol;
};

struct ExpiringEvent {
  uint32_t tunnel;
  uint32_t spi;
};

using Event = std::variant<DatagramEvent, AcquireEvent, ExpiringEvent>;

/** Where the plane's threads leave events for the control plane. */
class EventSink {
 public:
  virtual ~EventSink() = default;
  /** Never waits; false when the queue is full, and the event is lost. */
  virtual bool Post(Event event) noexcept = 0;
  /** The last call: the threads have ended, devices and sockets are gone. */
  virtual void Ended() noexcept = 0;
};

}  // namespace moat
