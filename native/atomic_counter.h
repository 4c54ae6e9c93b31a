#pragma once

#include <atomic>
#include <cstdint>

namespace moat {

/** Adds to a counter that only the calling thread writes, and others read. */
inline void Bump(std::atomic<uint64_t>& counter, uint64_t by = 1) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

}  // namespace moat
