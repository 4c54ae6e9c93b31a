#include "plane.h"

#include <sys/random.h>

#include <algorithm>

#include "clock.h"
#include "plane_thread.h"

namespace moat {
namespace {

/** Between two turns of the packets: of the dearest, which free an SA, a tenth of a millisecond. */
constexpr size_t kCommandsPerTurn = 32;

constexpr uint64_t kTickMs = 1000;

/** How often the first thread looks whether the second is still of use. */
constexpr uint64_t kApartMs = 20;

uint64_t Seed() noexcept {
  uint64_t seed = 0;
  // Without randomness two flows may share a queue on purpose, and no more.
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) < 0) return 0;
  return seed;
}

}  // namespace

std::unique_ptr<Plane> Plane::Open(const PlaneOptions& options, EventSink& events, OpenError& error) {
  std::optional<Tun> tun = Tun::Open(options.tunName, options.tunMtu, error);
  return tun ? OpenOver(std::move(*tun), options, events, error) : nullptr;
}

std::unique_ptr<Plane> Plane::OpenOver(Tun tun, const PlaneOptions& options, EventSink& events, OpenError& error) {
  std::optional<Sockets> sockets = Sockets::Open(options.ports, error);
  if (!sockets) return nullptr;
  std::unique_ptr<Plane> plane(new Plane(std::move(tun), std::move(*sockets), options, events));
  plane->Watch();
  plane->thread_ = std::thread([raw = plane.get()] { raw->Run(); });
  return plane;
}

Plane::Plane(Tun tun, Sockets sockets, const PlaneOptions& options, EventSink& events)
    : replayWindow_(options.replayWindow),
      events_(events),
      notices_(*this),
      tun_(std::make_unique<Tun>(std::move(tun))),
      sockets_(std::make_unique<Sockets>(std::move(sockets))),
      wayOut_({*tun_, *sockets_, events, static_cast<size_t>(options.tunMtu), Seed()}),
      inbound_({*tun_, *sockets_, events, notices_}),
      apart_(options.apart) {
  if (options.threads > 1) companion_ = std::make_unique<Companion>(wayOut_, mailbox_);
}

Plane::~Plane() {
  Stop();
  thread_.join();
}

void Plane::Stop() { mailbox_.Post(moat::Stop{}); }

bool Plane::Install(const SaSettings& settings) {
  const Name name{SaDirection::kInbound, 0, settings.spi};
  if (records_.contains(name)) return true;
  std::unique_ptr<InboundSa> sa = MakeInboundSa(settings, replayWindow_);
  if (!sa) return false;
  sa->state = StateOf(settings.tunnel);
  records_.emplace(name, sa->record);
  mailbox_.Post(InstallInbound{std::move(sa)});
  return true;
}

bool Plane::Install(const OutboundSettings& settings) {
  const Name name{SaDirection::kOutbound, settings.sa.tunnel, settings.sa.spi};
  if (records_.contains(name)) return true;
  std::unique_ptr<OutboundSa> sa = MakeOutboundSa(settings);
  if (!sa) return false;
  sa->state = StateOf(settings.sa.tunnel);
  records_.emplace(name, sa->record);
  if (settings.afterInbound) {
    const auto awaited = records_.find({SaDirection::kInbound, 0, *settings.afterInbound});
    if (awaited != records_.end()) sa->awaited = awaited->second;
  }
  Order(InstallOutbound{std::move(sa)});
  return true;
}

void Plane::ActivateOutbound(uint32_t tunnel, uint32_t spi) { Order(moat::ActivateOutbound{tunnel, spi}); }

void Plane::Order(OutboundCommand command) { mailbox_.Post(std::move(command)); }

std::shared_ptr<TunnelState> Plane::StateOf(uint32_t tunnel) {
  Shared& shared = tunnels_[tunnel];
  if (!shared.state) shared.state = std::make_shared<TunnelState>(tunnel);
  shared.sas += 1;
  return shared.state;
}

void Plane::Forget(uint32_t tunnel) {
  const auto found = tunnels_.find(tunnel);
  found->second.sas -= 1;
  if (found->second.sas == 0) tunnels_.erase(found);
}

void Plane::RemoveInbound(uint32_t spi) {
  const auto found = records_.find({SaDirection::kInbound, 0, spi});
  if (found == records_.end()) return;
  Forget(found->second->tunnel);
  records_.erase(found);
  mailbox_.Post(moat::RemoveInbound{spi});
}

void Plane::RemoveOutbound(uint32_t tunnel, uint32_t spi) {
  if (records_.erase({SaDirection::kOutbound, tunnel, spi}) == 0) return;
  Forget(tunnel);
  Order(moat::RemoveOutbound{tunnel, spi});
}

std::vector<std::shared_ptr<const TunnelState>> Plane::Tunnels() const {
  std::vector<std::shared_ptr<const TunnelState>> all;
  all.reserve(tunnels_.size());
  for (const auto& [id, shared] : tunnels_) all.push_back(shared.state);
  return all;
}

void Plane::MovePath(uint32_t tunnel, const Path& path) { Order(moat::MovePath{tunnel, path}); }

void Plane::Send(std::vector<uint8_t> message, const Path& path) { Order(SendIke{std::move(message), path}); }

void Plane::DemandCookies(CookieSecrets secrets, uint64_t milliseconds) {
  mailbox_.Post(moat::DemandCookies{std::move(secrets), MonotonicMs() + milliseconds});
}

std::vector<std::shared_ptr<const SaRecord>> Plane::Records() const {
  std::vector<std::shared_ptr<const SaRecord>> all;
  all.reserve(records_.size());
  for (const auto& [name, record] : records_) all.push_back(record);
  return all;
}

void Plane::Watch() noexcept {
  for (uint32_t kind = 0; kind < kSocketCount; kind += 1) poller_.Watch(sockets_->Descriptor(static_cast<SocketKind>(kind)), kind);
  poller_.Watch(mailbox_.Descriptor(), kMailboxSource);
  poller_.Watch(alarm_.Descriptor(), kAlarmSource);
  wayOut_.Attach(poller_, true);
}

void Plane::Run() noexcept {
  PlaneThread self("moat-plane");
  while (!stopping_) {
    alarm_.NotLaterThan(WakeAt());
    const std::span<const epoll_event> ready = poller_.Wait(!HasWayOut() || !wayOut_.Unfinished());
    const uint64_t nowUs = MonotonicUs();
    nowMs_ = nowUs / 1000;
    self.Settle(nowUs);
    for (const epoll_event& one : ready) Handle(one.data.u32, one.events);
    if (HasWayOut()) wayOut_.Turn(nowUs, pacer_.Busy());
    if (nowMs_ >= nextTickMs_) {
      inbound_.Tick(nowMs_);
      nextTickMs_ = nowMs_ + kTickMs;
    }
    if (companion_ && apart_.Due(nowUs)) Divide(nowUs);
    if (!HasWayOut() || !wayOut_.Waiting()) Pause(PauseAfter(nowUs));
  }
  companion_.reset();
  // Whoever hears of the end may open the same ports and interface again at once.
  tun_.reset();
  sockets_.reset();
  events_.Ended();
}

uint64_t Plane::WakeAt() const noexcept {
  return std::min(nextTickMs_ * 1000, HasWayOut() ? wayOut_.WakeAt() : (nowMs_ + kApartMs) * 1000);
}

/** Of the ways that this thread has. */
uint64_t Plane::PauseAfter(uint64_t beganUs) noexcept {
  Pacer::Passed passed{Received().packets, Received().octets};
  if (HasWayOut()) passed = {passed.packets + Sent().packets, passed.octets + Sent().octets};
  return pacer_.PauseAfter(passed, beganUs, MonotonicUs());
}

void Plane::Divide(uint64_t nowUs) noexcept {
  const bool apart = apart_.On(nowUs, MicrosecondsBy(CLOCK_THREAD_CPUTIME_ID) + companion_->SpentUs());
  if (apart && companion_->IsHere()) {
    wayOut_.Detach();
    pacer_ = Pacer();
    companion_->Lend();
    Bump(timesApart_);
  } else if (!apart && companion_->IsLent()) {
    companion_->Recall();
  }
}

bool Plane::TellWayOut(OutboundCommand command, size_t most) noexcept {
  if (companion_) return companion_->Tell(std::move(command), most, nowMs_);
  wayOut_.Obey(command, nowMs_);
  return true;
}

void Plane::Handle(uint32_t source, uint32_t events) noexcept {
  if (source == kTunSource) {
    wayOut_.TunReady(events);
  } else if (source == kAlarmSource) {
    alarm_.Rang();
  } else if (source == kMailboxSource) {
    for (Command& command : mailbox_.Take(kCommandsPerTurn)) Obey(command);
  } else {
    if ((events & EPOLLOUT) != 0) wayOut_.Writable();
    if ((events & ~uint32_t{EPOLLOUT}) != 0) inbound_.Readable(static_cast<SocketKind>(source), nowMs_);
  }
}

void Plane::Obey(Command& command) {
  struct Visitor {
    Plane& plane;
    void operator()(InstallInbound& one) { plane.inbound_.Install(std::move(one.sa)); }
    void operator()(const moat::RemoveInbound& one) { plane.inbound_.Remove(one.spi); }
    void operator()(moat::DemandCookies& one) { plane.inbound_.DemandCookies(std::move(one.secrets), one.untilMs); }
    void operator()(OutboundCommand& one) { plane.TellWayOut(std::move(one)); }
    void operator()(const WayOutReturned&) { plane.WayOutIsBack(); }
    void operator()(const moat::Stop&) { plane.stopping_ = true; }
  };
  std::visit(Visitor{*this}, command);
}

void Plane::WayOutIsBack() {
  wayOut_.Attach(poller_, true);
  pacer_ = Pacer();
  companion_->Returned(nowMs_);
}

}  // namespace moat
