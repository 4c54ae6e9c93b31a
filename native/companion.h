#pragma once

#include <atomic>
#include <thread>
#include <variant>
#include <vector>

#include "clock.h"
#include "mailbox.h"
#include "way_out.h"

namespace moat {

/**
 * The second thread of a plane, which has the way out while the first has enough to do with the way in. All calls are the first thread's.
 *
 * Theory of operation: the way out belongs to one of the two, and what the other wants of it are letters, in the order in which they were written.
 * It goes to the second by a letter and comes back by one; while it is on its way back the first keeps what it would say, so that it is still the
 * order in which it was said.
 *
 *   here --Lend--> lent --Recall--> returning --WayOutReturned in the first thread's mailbox--> here
 */
class Companion {
 public:
  Companion(WayOut& wayOut, Mailbox<Command>& first);
  ~Companion() { End(); }

  /** The first thread may use the way out itself. */
  bool IsHere() const noexcept { return state_ == State::kHere; }
  bool IsLent() const noexcept { return state_ == State::kLent; }

  /** Only while it is here, and no poller of the first thread's knows it. */
  void Lend();
  /** Only while it is lent. */
  void Recall();
  /** It has come back: what was said meanwhile is obeyed now. */
  void Returned(uint64_t nowMs);

  /** False, and the command is lost: `most` wait already. */
  bool Tell(OutboundCommand command, size_t most, uint64_t nowMs);

  /** Microseconds of processor time of the thread since start. */
  uint64_t SpentUs() const noexcept { return MicrosecondsBy(clock_); }

  /** Ends the thread; after that nothing touches the way out. */
  void End();

 private:
  enum class State : uint8_t { kHere, kLent, kReturning };
  struct Take {};
  struct Return {};
  using Letter = std::variant<OutboundCommand, Take, Return, Stop>;

  void Run() noexcept;
  void Read(uint64_t nowMs);
  void HandBack();

  WayOut& wayOut_;
  Mailbox<Command>& first_;
  Mailbox<Letter> letters_;
  State state_ = State::kHere;
  std::vector<OutboundCommand> kept_;

  /* The second thread's own. */
  Poller poller_;
  Pacer pacer_;
  bool has_ = false;
  bool stopping_ = false;

  /** Of the thread's processor time. */
  clockid_t clock_{};
  std::thread thread_;
};

}  // namespace moat
