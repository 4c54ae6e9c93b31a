#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace moat {

/**
 * Memory for packets, in pages of two megabytes where the kernel has them for who asks (madvise(2), MADV_HUGEPAGE): it is walked through from end to
 * end, by the kernel's copies too, and small pages cost a look-up of an address every 4096 octets. Pages come with the first touch, as zeros.
 */
class PacketMemory {
 public:
  explicit PacketMemory(size_t octets) noexcept
      : octets_((octets + kPage - 1) / kPage * kPage + kPage),
        mapped_(mmap(nullptr, octets_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    // As `new` without exceptions: who cannot have its packets' memory cannot go on.
    if (mapped_ == MAP_FAILED) __builtin_trap();
    madvise(mapped_, octets_, MADV_HUGEPAGE);
  }
  ~PacketMemory() { munmap(mapped_, octets_); }
  PacketMemory(const PacketMemory&) = delete;
  PacketMemory& operator=(const PacketMemory&) = delete;

  /** At the start of a large page. */
  uint8_t* Get() const noexcept {
    const auto address = reinterpret_cast<uintptr_t>(mapped_);
    return reinterpret_cast<uint8_t*>((address + kPage - 1) / kPage * kPage);
  }

 private:
  static constexpr size_t kPage = 2 << 20;

  const size_t octets_;
  void* const mapped_;
};

}  // namespace moat
