#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>

#include "fd.h"

namespace moat {

/** What one thread waits for: descriptors, each under a number that its owner chose. */
class Poller {
 public:
  Poller() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

  /** A descriptor of -1 is nothing to wait for. */
  void Watch(int fd, uint32_t source, uint32_t events = EPOLLIN) noexcept { Control(EPOLL_CTL_ADD, fd, source, events); }
  void Change(int fd, uint32_t source, uint32_t events) noexcept { Control(EPOLL_CTL_MOD, fd, source, events); }
  void Forget(int fd) noexcept { Control(EPOLL_CTL_DEL, fd, 0, 0); }

  /** What is ready, at most kMost of it. @param block waits until something is. */
  std::span<const epoll_event> Wait(bool block) noexcept {
    const int count = epoll_wait(epoll_.Get(), ready_.data(), kMost, block ? -1 : 0);
    return {ready_.data(), static_cast<size_t>(count > 0 ? count : 0)};
  }

 private:
  static constexpr int kMost = 16;

  void Control(int operation, int fd, uint32_t source, uint32_t events) noexcept {
    if (fd < 0) return;
    epoll_event event{};
    event.events = events;
    event.data.u32 = source;
    epoll_ctl(epoll_.Get(), operation, fd, &event);
  }

  Fd epoll_;
  std::array<epoll_event, kMost> ready_;
};

}  // namespace moat
