// A descriptor polled by Node's own loop. The handle outlives its owner by the turn that libuv needs to close it.
#pragma once

#include <napi.h>
#include <unistd.h>
#include <uv.h>

#include <functional>
#include <utility>

namespace moat::lan {

class LoopPoll {
 public:
  LoopPoll() = default;
  LoopPoll(const LoopPoll&) = delete;
  LoopPoll& operator=(const LoopPoll&) = delete;
  ~LoopPoll() { Stop(); }

  // Calls `readable` whenever there is something to read, until Stop().
  void Start(Napi::Env env, int fd, std::function<void()> readable) {
    readable_ = std::move(readable);
    uv_loop_s* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    handle_ = new uv_poll_t;
    handle_->data = this;
    uv_poll_init(loop, handle_, fd);
    uv_poll_start(handle_, UV_READABLE, [](uv_poll_t* handle, int, int) { static_cast<LoopPoll*>(handle->data)->readable_(); });
  }

  // Before the descriptor is closed. True when it was polling.
  bool Stop() {
    if (handle_ == nullptr) return false;
    uv_poll_stop(handle_);
    uv_close(reinterpret_cast<uv_handle_t*>(handle_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    handle_ = nullptr;
    return true;
  }

  // Stops, and closes the descriptor, which is -1 afterwards. True when it was polling.
  bool StopAndClose(int& fd) {
    const bool polled = Stop();
    if (fd >= 0) close(fd);
    fd = -1;
    return polled;
  }

 private:
  uv_poll_t* handle_ = nullptr;
  std::function<void()> readable_;
};

}  // namespace moat::lan
