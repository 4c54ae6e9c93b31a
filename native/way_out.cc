#include "way_out.h"

#include <algorithm>

namespace moat {
namespace {

constexpr uint32_t kNoSocket = UINT32_MAX;
constexpr uint64_t kTickMs = 1000;

}  // namespace

void WayOut::Attach(Poller& poller, bool readsSockets) noexcept {
  poller_ = &poller;
  readsSockets_ = readsSockets;
  poller.Watch(tun_.Descriptor(), kTunSource);
  WatchFullSocket();
}

void WayOut::Detach() noexcept {
  if (fullSocket_ != kNoSocket) Watch(fullSocket_, false);
  fullSocket_ = kNoSocket;
  poller_->Forget(tun_.Descriptor());
}

void WayOut::Watch(uint32_t socket, bool full) noexcept {
  const int fd = sockets_.Descriptor(static_cast<SocketKind>(socket));
  if (readsSockets_) {
    poller_->Change(fd, socket, full ? EPOLLIN | EPOLLOUT : EPOLLIN);
  } else if (full) {
    poller_->Watch(fd, socket, EPOLLOUT);
  } else {
    poller_->Forget(fd);
  }
}

/** Asks to hear of it when the full socket, if one is, can be written to again; and no more when none is. */
void WayOut::WatchFullSocket() noexcept {
  const uint32_t full = outbound_.Blocked() ? static_cast<uint32_t>(outbound_.BlockedSocket()) : kNoSocket;
  if (full == fullSocket_) return;
  if (fullSocket_ != kNoSocket) Watch(fullSocket_, false);
  if (full != kNoSocket) Watch(full, true);
  fullSocket_ = full;
}

void WayOut::TunReady(uint32_t events) noexcept {
  // An interface that somebody deleted reports this for ever.
  if ((events & EPOLLERR) != 0) poller_->Forget(tun_.Descriptor());
}

void WayOut::Turn(uint64_t nowUs, bool again) noexcept {
  const uint64_t nowMs = nowUs / 1000;
  // What waits in TUN is looked for in every turn: while there is traffic, something mostly does.
  outbound_.TakeTurn(nowUs, again);
  WatchFullSocket();
  if (nowUs >= outbound_.WakeAt()) outbound_.Tick(nowUs);
  if (nowMs < nextTickMs_) return;
  outbound_.Keepalives(nowMs);
  nextTickMs_ = nowMs + kTickMs;
}

uint64_t WayOut::WakeAt() const noexcept { return std::min(nextTickMs_ * 1000, outbound_.WakeAt()); }

void WayOut::Obey(OutboundCommand& command, uint64_t nowMs) {
  struct Visitor {
    Outbound& outbound;
    uint64_t nowMs;
    void operator()(InstallOutbound& one) { outbound.Install(std::move(one.sa), nowMs); }
    void operator()(const ActivateOutbound& one) { outbound.Activate(one.tunnel, one.spi, nowMs); }
    void operator()(const RemoveOutbound& one) { outbound.Remove(one.tunnel, one.spi); }
    void operator()(const MovePath& one) { outbound.MovePath(one.tunnel, one.path, nowMs); }
    void operator()(const SendIke& one) { outbound.SendIke(one.message, one.path); }
    void operator()(const InboundWasSeen& one) { outbound.InboundSeen(one.spi, nowMs); }
    void operator()(const PeerHasMoved& one) { outbound.PeerMoved(one.tunnel, one.path, nowMs); }
    void operator()(const ProbeHasArrived& one) { outbound.ProbeArrived(one.tunnel, one.id, nowMs); }
    void operator()(const ProbeWasAcknowledged& one) { outbound.ProbeAcknowledged(one.tunnel, one.id, nowMs); }
  };
  std::visit(Visitor{outbound_, nowMs}, command);
}

}  // namespace moat
