#pragma once

#include "command.h"
#include "outbound.h"
#include "pacer.h"
#include "poller.h"

namespace moat {

/** What a thread of the plane waits for besides sockets, whose numbers are those of SocketKind. */
constexpr uint32_t kTunSource = kSocketCount, kMailboxSource = kSocketCount + 1, kAlarmSource = kSocketCount + 2;

/**
 * The way out as a thread has it: what it waits for, commands, turns, time. One thread has it at a time; those that pass it on to each other do
 * so by letters (`companion.h`), so that nothing in here needs a lock.
 */
class WayOut {
 public:
  explicit WayOut(const Outbound::Parts& parts) : tun_(parts.tun), sockets_(parts.sockets), outbound_(parts) {}

  const Counters& GetCounters() const noexcept { return outbound_.GetCounters(); }

  /** From now on `poller` wakes for it, whose thread is the one that has it. @param readsSockets the poller watches the sockets for itself. */
  void Attach(Poller& poller, bool readsSockets) noexcept;
  void Detach() noexcept;

  void Obey(OutboundCommand& command, uint64_t nowMs);
  /** Something of TUN that is no packet. */
  void TunReady(uint32_t events) noexcept;
  void Writable() noexcept { outbound_.Writable(); }

  /** Passes packets, and does what is due. @param again another turn follows before long. */
  void Turn(uint64_t nowUs, bool again) noexcept;
  /** Another turn is to follow at once. */
  bool Waiting() const noexcept { return outbound_.Waiting(); }
  /** Another turn is to follow, if after a pause. */
  bool Unfinished() const noexcept { return outbound_.Waiting() || outbound_.Carrying(); }
  /** When a turn is due though nothing is ready. Microseconds of the monotonic clock. */
  uint64_t WakeAt() const noexcept;

 private:
  void WatchFullSocket() noexcept;
  void Watch(uint32_t socket, bool full) noexcept;

  const Tun& tun_;
  const Sockets& sockets_;
  Outbound outbound_;
  Poller* poller_ = nullptr;
  bool readsSockets_ = false;
  /** The socket whose EPOLLOUT is watched, or none. */
  uint32_t fullSocket_ = UINT32_MAX;
  uint64_t nextTickMs_ = 0;
};

}  // namespace moat
