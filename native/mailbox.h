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
    const std::lock_guard lock(mutex_);
    letters_.push_back(std::move(letter));
    const uint64_t one = 1;
    // A full counter means that the reader has been woken already.
    if (write(wake_.Get(), &one, sizeof one) < 0) return;
  }

  /** The oldest letters, at most so many; while there are more, the descriptor stays readable. */
  std::vector<Letter> Take(size_t most) {
    std::vector<Letter> taken;
    const std::lock_guard lock(mutex_);
    for (; !letters_.empty() && taken.size() < most; letters_.pop_front()) taken.push_back(std::move(letters_.front()));
    uint64_t count;
    // Under the lock, so that no letter is posted between the look and the reading.
    if (letters_.empty() && read(wake_.Get(), &count, sizeof count) < 0) return taken;
    return taken;
  }

 private:
  Fd wake_;
  std::mutex mutex_;
  std::deque<Letter> letters_;
};

}  // namespace moat
