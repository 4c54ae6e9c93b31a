#include "companion.h"

#include <pthread.h>

#include "alarm.h"
#include "clock.h"
#include "plane_thread.h"

namespace moat {
namespace {

/** Between two turns of the packets, as in the first thread. */
constexpr size_t kLettersPerTurn = 32;

}  // namespace

Companion::Companion(WayOut& wayOut, Mailbox<Command>& first) : wayOut_(wayOut), first_(first), thread_([this] { Run(); }) {
  pthread_getcpuclockid(thread_.native_handle(), &clock_);
}

void Companion::Lend() {
  state_ = State::kLent;
  letters_.Post(Take{});
}

void Companion::Recall() {
  state_ = State::kReturning;
  letters_.Post(Return{});
}

void Companion::Returned(uint64_t nowMs) {
  state_ = State::kHere;
  for (OutboundCommand& command : kept_) wayOut_.Obey(command, nowMs);
  kept_.clear();
}

bool Companion::Tell(OutboundCommand command, size_t most, uint64_t nowMs) {
  if (state_ == State::kLent) return letters_.Post(std::move(command), most);
  if (state_ == State::kHere) {
    wayOut_.Obey(command, nowMs);
  } else if (kept_.size() < most) {
    kept_.push_back(std::move(command));
  } else {
    return false;
  }
  return true;
}

void Companion::End() {
  if (!thread_.joinable()) return;
  letters_.Post(Stop{});
  thread_.join();
}

void Companion::Run() noexcept {
  PlaneThread self("moat-plane-out");
  Alarm alarm;
  poller_.Watch(letters_.Descriptor(), kMailboxSource);
  poller_.Watch(alarm.Descriptor(), kAlarmSource);
  while (!stopping_) {
    if (has_) alarm.NotLaterThan(wayOut_.WakeAt());
    const std::span<const epoll_event> ready = poller_.Wait(!has_ || !wayOut_.Unfinished());
    const uint64_t nowUs = MonotonicUs();
    self.Settle(nowUs);
    for (const epoll_event& one : ready) {
      const uint32_t source = one.data.u32;
      if (source == kMailboxSource) {
        Read(nowUs / 1000);
      } else if (source == kAlarmSource) {
        alarm.Rang();
      } else if (has_ && source == kTunSource) {
        wayOut_.TunReady(one.events);
      } else if (has_) {
        wayOut_.Writable();
      }
    }
    if (!has_) continue;
    wayOut_.Turn(nowUs, pacer_.Busy());
    const Counters& sent = wayOut_.GetCounters();
    if (!wayOut_.Waiting()) Pause(pacer_.PauseAfter({sent.packets, sent.octets}, nowUs, MonotonicUs()));
  }
}

void Companion::Read(uint64_t nowMs) {
  struct Visitor {
    Companion& self;
    uint64_t nowMs;
    void operator()(OutboundCommand& command) { self.wayOut_.Obey(command, nowMs); }
    void operator()(const Take&) {
      self.has_ = true;
      self.wayOut_.Attach(self.poller_, false);
    }
    void operator()(const Return&) { self.HandBack(); }
    void operator()(const Stop&) { self.stopping_ = true; }
  };
  for (Letter& letter : letters_.Take(kLettersPerTurn)) std::visit(Visitor{*this, nowMs}, letter);
}

void Companion::HandBack() {
  has_ = false;
  wayOut_.Detach();
  pacer_ = Pacer();
  first_.Post(WayOutReturned{});
}

}  // namespace moat
