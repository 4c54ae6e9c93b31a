#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "command.h"
#include "event.h"
#include "inbound.h"
#include "mailbox.h"
#include "outbound.h"
#include "pacer.h"

namespace moat {

struct PlaneOptions {
  std::string tunName;
  /** 576 to 65535. */
  int tunMtu = 1500;
  Ports ports;
  /** A power of two of at least 64. */
  size_t replayWindow = 4096;
};

/**
 * The data plane as the control plane sees it. Its calls come from one thread, and are commands to the thread inside, which owns
 * devices and SAs. Statistics are read from records that both hold.
 */
class Plane {
 public:
  /** Null with `error` set when a device or socket cannot be had. `events` outlives the plane. */
  static std::unique_ptr<Plane> Open(const PlaneOptions& options, EventSink& events, OpenError& error);
  /** Over a TUN that is open already. */
  static std::unique_ptr<Plane> OpenOver(Tun tun, const PlaneOptions& options, EventSink& events, OpenError& error);
  ~Plane();

  /** False when the settings make no SA (wrong key length). */
  bool Install(const SaSettings& settings);
  bool Install(const OutboundSettings& settings);
  void ActivateOutbound(uint32_t tunnel, uint32_t spi);
  void RemoveInbound(uint32_t spi);
  void RemoveOutbound(uint32_t tunnel, uint32_t spi);
  void MovePath(uint32_t tunnel, const Path& path);
  void Send(std::vector<uint8_t> message, const Path& path);
  void DemandCookies(CookieSecrets secrets, uint64_t milliseconds);

  const Counters& Received() const noexcept { return inbound_.GetCounters(); }
  const Counters& Sent() const noexcept { return outbound_.GetCounters(); }
  /** Inbound first, then by tunnel and SPI. */
  std::vector<std::shared_ptr<const SaRecord>> Records() const;

  /** By tunnel. */
  std::vector<std::shared_ptr<const TunnelState>> Tunnels() const;

  /** Ends the thread; `EventSink::Ended` follows. */
  void Stop();

 private:
  class Notices : public InboundNotices {
   public:
    explicit Notices(Plane& plane) : plane_(plane) {}
    void InboundSeen(uint32_t spi) noexcept override { plane_.outbound_.InboundSeen(spi, plane_.nowMs_); }
    void PeerMoved(uint32_t tunnel, const Path& path) noexcept override { plane_.outbound_.PeerMoved(tunnel, path, plane_.nowMs_); }
    void ProbeArrived(uint32_t tunnel, uint32_t id) noexcept override { plane_.outbound_.ProbeArrived(tunnel, id, plane_.nowMs_); }
    void ProbeAcknowledged(uint32_t tunnel, uint32_t id) noexcept override {
      plane_.outbound_.ProbeAcknowledged(tunnel, id, plane_.nowMs_);
    }
    void Challenge(std::span<const uint8_t> message, const Path& path) noexcept override { plane_.outbound_.SendIke(message, path); }

   private:
    Plane& plane_;
  };

  Plane(Tun tun, Sockets sockets, const PlaneOptions& options, EventSink& events);
  void Run() noexcept;
  void Watch() noexcept;
  void WatchFullSocket() noexcept;
  void Handle(uint32_t source, uint32_t events) noexcept;
  int MillisecondsToSleep() const noexcept;
  std::shared_ptr<TunnelState> StateOf(uint32_t tunnel);
  void Forget(uint32_t tunnel);
  void Obey(Command& command);

  /** Direction, tunnel (0 for inbound) and SPI name an SA. */
  using Name = std::tuple<SaDirection, uint32_t, uint32_t>;

  std::map<Name, std::shared_ptr<SaRecord>> records_;
  struct Shared {
    std::shared_ptr<TunnelState> state;
    /** SAs that are installed. */
    size_t sas = 0;
  };
  std::map<uint32_t, Shared> tunnels_;
  Mailbox<Command> mailbox_;
  const size_t replayWindow_;
  EventSink& events_;
  Notices notices_;
  std::unique_ptr<Tun> tun_;
  std::unique_ptr<Sockets> sockets_;
  Outbound outbound_;
  Inbound inbound_;
  Fd epoll_;
  Pacer pacer_;
  /** The socket whose EPOLLOUT is watched, or none. */
  uint32_t fullSocket_ = UINT32_MAX;
  bool stopping_ = false;
  /** Of the monotonic clock, read once for each turn of the loop. */
  uint64_t nowMs_ = 0;
  uint64_t nextTickMs_ = 0;
  std::thread thread_;
};

}  // namespace moat
