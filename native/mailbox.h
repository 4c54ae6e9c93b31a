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

  /** False, and the letter is lost: `most` wait already. */
  bool Post(Letter letter, size_t most = SIZE_MAX) {
    switch (Add(std::move(letter), most)) {
      case Added::kFull:
        return false;
      case Added::kBehindOthers:
        return true;
      case Added::kFirst:
        break;
    }
    // Not under the lock: waking the reader may give it the processor at once, and it would wait for the lock, for as long as others run.
    const uint64_t one = 1;
    // It fails only where the descriptor is readable already.
    [[maybe_unused]] const ssize_t written = write(wake_.Get(), &one, sizeof one);
    return true;
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
  enum class Added : uint8_t {
    kFull,
    kBehindOthers,
    /** The reader must be told; while there are more, it knows. */
    kFirst,
  };

  Added Add(Letter letter, size_t most) {
    const std::lock_guard lock(mutex_);
    if (letters_.size() >= most) return Added::kFull;
    letters_.push_back(std::move(letter));
    return letters_.size() == 1 ? Added::kFirst : Added::kBehindOthers;
  }

  Fd wake_;
  std::mutex mutex_;
  std::deque<Letter> letters_;
};

}  // namespace moat
