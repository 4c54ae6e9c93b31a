#pragma once

#include <array>
#include <atomic>

#include "atomic_counter.h"
#include "drop.h"

namespace moat {

/** Written by one thread, read by any. Packets and octets are those of inner packets. */
struct Counters {
  std::atomic<uint64_t> packets = 0;
  std::atomic<uint64_t> octets = 0;
  std::array<std::atomic<uint64_t>, kDropCount> drops{};

  void Count(Drop drop) noexcept { Bump(drops[static_cast<size_t>(drop)]); }

  void Passed(size_t length) noexcept {
    Bump(packets);
    Bump(octets, length);
  }
};

}  // namespace moat
