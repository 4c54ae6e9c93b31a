#pragma once

#include <sys/eventfd.h>

#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "fd.h"

namespace moat {

/** Letters from any thread to the one that reads them, in the order posted. The descriptor is readable when there is one. */
template <typename Letter>
class Mailbox {
 public:
  Mailbox() : wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

  int Descriptor() const noexcept { return wake_.Get(); }

  void Post(Letter letter) {
    if (!Put(std::move(letter))) return;
    // Not under the lock: waking the reader may give it the processor at once, and it would wait for the lock, for as long as others run.
    const uint64_t one = 1;
    if (write(wake_.Get(), &one, sizeof one) < 0) return;
  }

  /** The oldest letters, at most so many; while there are more, the descriptor stays readable. */
  std::vector<Letter> Take(size_t most) {
    std::vector<Letter> taken;
    const std::lock_guard lock(mutex_);
    for (; !letters_.empty() && taken.size() < most; letters_.pop_front()) taken.push_back(std::move(letters_.front()));
    uint64_t count;
    // Under the lock, so that no letter is put between the look and the reading. Whoever puts the next one into the empty box writes again.
    if (letters_.empty() && read(wake_.Get(), &count, sizeof count) < 0) return taken;
    return taken;
  }

 private:
  /** Whether it is the first one, of which the reader must be told; while there are more, it knows. */
  bool Put(Letter letter) {
    const std::lock_guard lock(mutex_);
    letters_.push_back(std::move(letter));
    return letters_.size() == 1;
  }

  Fd wake_;
  std::mutex mutex_;
  std::deque<Letter> letters_;
};

}  // namespace moat
