#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "alarm.h"
#include "command.h"
#include "companion.h"
#include "event.h"
#include "inbound.h"
#include "load_switch.h"
#include "mailbox.h"
#include "pacer.h"
#include "poller.h"
#include "way_out.h"

namespace moat {

struct PlaneOptions {
  std::string tunName;
  /** 576 to 65535. */
  int tunMtu = 1500;
  Ports ports;
  /** A power of two of at least 64. */
  size_t replayWindow = 4096;
  /** 1, or 2: the way out has a thread of its own while there is much to do. */
  unsigned threads = 1;
  /** When it has: percent of one processor that the two ways spend together. */
  LoadSwitch::Limits apart{50, 25};
};

/**
 * The data plane as the control plane sees it. Its calls come from one thread, and are commands to the thread inside, which owns
 * devices and SAs, or shares them with a companion. Statistics are read from records that all hold.
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
  const Counters& Sent() const noexcept { return wayOut_.GetCounters(); }
  /** Inbound first, then by tunnel and SPI. */
  std::vector<std::shared_ptr<const SaRecord>> Records() const;

  /** By tunnel. */
  std::vector<std::shared_ptr<const TunnelState>> Tunnels() const;

  /** How often the way out has been lent to the second thread. */
  uint64_t TimesApart() const noexcept { return timesApart_.load(std::memory_order_relaxed); }

  /** Ends the threads; `EventSink::Ended` follows. */
  void Stop();

 private:
  class Notices : public InboundNotices {
   public:
    explicit Notices(Plane& plane) : plane_(plane) {}
    void InboundSeen(uint32_t spi) noexcept override { plane_.TellWayOut(InboundWasSeen{spi}); }
    bool PeerMoved(uint32_t tunnel, const Path& path) noexcept override { return plane_.TellWayOut(PeerHasMoved{tunnel, path}, kMostNotices); }
    void ProbeArrived(uint32_t tunnel, uint32_t id) noexcept override { plane_.TellWayOut(ProbeHasArrived{tunnel, id}, kMostNotices); }
    void ProbeAcknowledged(uint32_t tunnel, uint32_t id) noexcept override {
      plane_.TellWayOut(ProbeWasAcknowledged{tunnel, id}, kMostNotices);
    }

   private:
    /** That wait for the way out: peers can cause as many as they like. */
    static constexpr size_t kMostNotices = 4096;

    Plane& plane_;
  };

  Plane(Tun tun, Sockets sockets, const PlaneOptions& options, EventSink& events);
  void Run() noexcept;
  void Watch() noexcept;
  void Handle(uint32_t source, uint32_t events) noexcept;
  void Divide(uint64_t nowUs) noexcept;
  uint64_t WakeAt() const noexcept;
  uint64_t PauseAfter(uint64_t beganUs) noexcept;
  /** The way out is not the companion's. */
  bool HasWayOut() const noexcept { return !companion_ || companion_->IsHere(); }
  bool TellWayOut(OutboundCommand command, size_t most = SIZE_MAX) noexcept;
  std::shared_ptr<TunnelState> StateOf(uint32_t tunnel);
  void Forget(uint32_t tunnel);
  void Order(OutboundCommand command);
  void Obey(Command& command);
  void WayOutIsBack();

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
  WayOut wayOut_;
  Inbound inbound_;
  Poller poller_;
  Alarm alarm_;
  Pacer pacer_;
  LoadSwitch apart_;
  std::atomic<uint64_t> timesApart_ = 0;
  std::unique_ptr<Companion> companion_;
  bool stopping_ = false;
  /** Of the monotonic clock, read once for each turn of the loop. */
  uint64_t nowMs_ = 0;
  uint64_t nextTickMs_ = 0;
  std::thread thread_;
};

}  // namespace moat
