#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "event.h"

namespace moat {

/**
 * What waits for the control plane, in three bounded lanes: the data plane's own news, messages for SAs that exist, and messages of
 * strangers. News goes first; of the others, three times as many of the known as of the strangers, while both wait, so that a flood of
 * either kind delays the other by little and its own kind by no more than a short queue.
 */
class EventQueue {
 public:
  static constexpr size_t kNews = 1024, kKnown = 1024, kStrangers = 256;
  static constexpr unsigned kKnownForAStranger = 3;

  enum class Put : uint8_t {
    kFull,
    kQueued,
    /** Queued, and the reader has found the queue empty since it was last told: it is to be told. */
    kWake,
  };

  Put Add(Event event) noexcept {
    const std::lock_guard lock(mutex_);
    Lane& lane = LaneOf(event);
    if (lane.events.size() >= lane.bound) return Put::kFull;
    lane.events.push_back(std::move(event));
    return std::exchange(awake_, true) ? Put::kQueued : Put::kWake;
  }

  /** The next one. Nothing: the reader rests, until an `Add` says that it is to be told. */
  std::optional<Event> Take() noexcept {
    const std::lock_guard lock(mutex_);
    for (Lane* lane : {&news_, TurnOfTheTwo(), &known_, &strangers_}) {
      if (lane->events.empty()) continue;
      if (lane == &known_) knownInARow_ += 1;
      if (lane == &strangers_) knownInARow_ = 0;
      std::optional<Event> event(std::move(lane->events.front()));
      lane->events.pop_front();
      return event;
    }
    awake_ = false;
    return std::nullopt;
  }

 private:
  struct Lane {
    const size_t bound;
    std::deque<Event> events;
  };

  Lane& LaneOf(const Event& event) noexcept {
    const auto* datagram = std::get_if<DatagramEvent>(&event);
    if (datagram == nullptr) return news_;
    return datagram->ofStranger ? strangers_ : known_;
  }

  Lane* TurnOfTheTwo() noexcept { return knownInARow_ < kKnownForAStranger ? &known_ : &strangers_; }

  std::mutex mutex_;
  Lane news_{kNews, {}};
  Lane known_{kKnown, {}};
  Lane strangers_{kStrangers, {}};
  unsigned knownInARow_ = 0;
  bool awake_ = false;
};

}  // namespace moat
