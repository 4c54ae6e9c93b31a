#pragma once

#include <sys/eventfd.h>

#include <cstdint>
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
    {
      const std::lock_guard lock(mutex_);
      letters_.push_back(std::move(letter));
    }
    const uint64_t one = 1;
    // A full counter means that the reader has been woken already.
    if (write(wake_.Get(), &one, sizeof one) < 0) return;
  }

  /** Everything posted so far. */
  std::vector<Letter> Take() {
    uint64_t count;
    if (read(wake_.Get(), &count, sizeof count) < 0) return {};
    std::vector<Letter> taken;
    const std::lock_guard lock(mutex_);
    taken.swap(letters_);
    return taken;
  }

 private:
  Fd wake_;
  std::mutex mutex_;
  std::vector<Letter> letters_;
};

}  // namespace moat
