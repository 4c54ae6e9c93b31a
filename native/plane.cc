#include "plane.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "clock.h"

namespace moat {
namespace {

/** What an epoll event speaks of: a SocketKind, or one of these. */
constexpr uint32_t kTunSource = kSocketCount, kMailboxSource = kSocketCount + 1;

constexpr uint32_t kNoSource = UINT32_MAX;

/** Between two turns of the packets: of the dearest, which free an SA, a tenth of a millisecond. */
constexpr size_t kCommandsPerTurn = 32;

constexpr int kMaxEpollEvents = 16;
constexpr int kTickMs = 1000;

/**
 * The thread's share of the processor stays what it is, but it gets it in slices of half a millisecond instead of three, and so its turn
 * earlier when a packet wakes it (Linux 6.12; older kernels ignore it, sched_setattr(2)).
 */
constexpr uint64_t kSliceNs = 500'000;

/** `sched_attr` of sched_setattr(2), whose own header does not go together with the C library's. */
struct SchedulingAttributes {
  uint32_t size = sizeof(SchedulingAttributes);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtimeNs = 0;
  uint64_t deadlineNs = 0;
  uint64_t periodNs = 0;
};

void PrepareThread() noexcept {
  pthread_setname_np(pthread_self(), "moat-plane");
  SchedulingAttributes attributes;
  attributes.nice = getpriority(PRIO_PROCESS, 0);
  attributes.runtimeNs = kSliceNs;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
  // Pauses of tens of microseconds must not become a hundred; the unit is nanoseconds.
  prctl(PR_SET_TIMERSLACK, 1000);
}

void Pause(uint64_t us) noexcept {
  if (us == 0) return;
  const timespec pause{0, static_cast<long>(us * 1000)};
  nanosleep(&pause, nullptr);
}

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
      outbound_({*tun_, *sockets_, events, static_cast<size_t>(options.tunMtu), Seed()}),
      inbound_({*tun_, *sockets_, events, notices_}),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

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
  mailbox_.Post(InstallOutbound{std::move(sa)});
  return true;
}

void Plane::ActivateOutbound(uint32_t tunnel, uint32_t spi) { mailbox_.Post(moat::ActivateOutbound{tunnel, spi}); }

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
  mailbox_.Post(moat::RemoveOutbound{tunnel, spi});
}

std::vector<std::shared_ptr<const TunnelState>> Plane::Tunnels() const {
  std::vector<std::shared_ptr<const TunnelState>> all;
  all.reserve(tunnels_.size());
  for (const auto& [id, shared] : tunnels_) all.push_back(shared.state);
  return all;
}

void Plane::MovePath(uint32_t tunnel, const Path& path) { mailbox_.Post(moat::MovePath{tunnel, path}); }

void Plane::Send(std::vector<uint8_t> message, const Path& path) { mailbox_.Post(SendIke{std::move(message), path}); }

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
  const auto watch = [&](int fd, uint32_t source) {
    if (fd < 0) return;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = source;
    epoll_ctl(epoll_.Get(), EPOLL_CTL_ADD, fd, &event);
  };
  for (uint32_t kind = 0; kind < kSocketCount; kind += 1) watch(sockets_->Descriptor(static_cast<SocketKind>(kind)), kind);
  watch(tun_->Descriptor(), kTunSource);
  watch(mailbox_.Descriptor(), kMailboxSource);
}

/** Asks to hear of it when the full socket, if one is, can be written to again; and no more when none is. */
void Plane::WatchFullSocket() noexcept {
  const uint32_t full = outbound_.Blocked() ? static_cast<uint32_t>(outbound_.BlockedSocket()) : kNoSource;
  if (full == fullSocket_) return;
  const auto change = [&](uint32_t source, uint32_t events) {
    if (source == kNoSource) return;
    epoll_event event{};
    event.events = events;
    event.data.u32 = source;
    epoll_ctl(epoll_.Get(), EPOLL_CTL_MOD, sockets_->Descriptor(static_cast<SocketKind>(source)), &event);
  };
  change(fullSocket_, EPOLLIN);
  change(full, EPOLLIN | EPOLLOUT);
  fullSocket_ = full;
}

void Plane::Run() noexcept {
  PrepareThread();
  epoll_event ready[kMaxEpollEvents];
  nowMs_ = MonotonicMs();
  nextTickMs_ = nowMs_ + kTickMs;
  while (!stopping_) {
    const int count = epoll_wait(epoll_.Get(), ready, kMaxEpollEvents, MillisecondsToSleep());
    const uint64_t nowUs = MonotonicUs();
    nowMs_ = nowUs / 1000;
    for (int i = 0; i < count; i += 1) Handle(ready[i].data.u32, ready[i].events);
    // What waits in TUN is looked for in every turn: while there is traffic, something mostly does.
    outbound_.TakeTurn(nowUs);
    WatchFullSocket();
    if (nowMs_ >= outbound_.WakeAt()) outbound_.Tick(nowMs_);
    if (nowMs_ >= nextTickMs_) {
      outbound_.Keepalives(nowMs_);
      inbound_.Tick(nowMs_);
      nextTickMs_ = nowMs_ + kTickMs;
    }
    if (!outbound_.Waiting()) {
      const Pacer::Passed passed{Received().packets + Sent().packets, Received().octets + Sent().octets};
      Pause(pacer_.PauseAfter(passed, nowUs, MonotonicUs()));
    }
  }
  // Whoever hears of the end may open the same ports and interface again at once.
  tun_.reset();
  sockets_.reset();
  events_.Ended();
}

int Plane::MillisecondsToSleep() const noexcept {
  if (outbound_.Waiting()) return 0;
  const uint64_t wakeAt = std::min(nextTickMs_, outbound_.WakeAt());
  return wakeAt <= nowMs_ ? 0 : static_cast<int>(wakeAt - nowMs_);
}

void Plane::Handle(uint32_t source, uint32_t events) noexcept {
  if (source == kTunSource) {
    // An interface that somebody deleted reports this for ever.
    if ((events & EPOLLERR) != 0) epoll_ctl(epoll_.Get(), EPOLL_CTL_DEL, tun_->Descriptor(), nullptr);
  } else if (source == kMailboxSource) {
    for (Command& command : mailbox_.Take(kCommandsPerTurn)) Obey(command);
  } else {
    if ((events & EPOLLOUT) != 0) outbound_.Writable();
    if ((events & ~uint32_t{EPOLLOUT}) != 0) inbound_.Readable(static_cast<SocketKind>(source), nowMs_);
  }
}

void Plane::Obey(Command& command) {
  struct Visitor {
    Plane& plane;
    void operator()(InstallInbound& one) { plane.inbound_.Install(std::move(one.sa)); }
    void operator()(InstallOutbound& one) { plane.outbound_.Install(std::move(one.sa), plane.nowMs_); }
    void operator()(const moat::ActivateOutbound& one) { plane.outbound_.Activate(one.tunnel, one.spi, plane.nowMs_); }
    void operator()(const moat::RemoveInbound& one) { plane.inbound_.Remove(one.spi); }
    void operator()(const moat::RemoveOutbound& one) { plane.outbound_.Remove(one.tunnel, one.spi); }
    void operator()(const moat::MovePath& one) { plane.outbound_.MovePath(one.tunnel, one.path, plane.nowMs_); }
    void operator()(const SendIke& one) { plane.outbound_.SendIke(one.message, one.path); }
    void operator()(moat::DemandCookies& one) { plane.inbound_.DemandCookies(std::move(one.secrets), one.untilMs); }
    void operator()(const moat::Stop&) { plane.stopping_ = true; }
  };
  std::visit(Visitor{*this}, command);
}

}  // namespace moat
