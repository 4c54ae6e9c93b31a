// impair: the bad internet of the lab. Packets of each direction come in by a TUN of their own (policy routing
// steers forwarded packets into it), are treated as the direction's settings say, and go back into the same TUN,
// from where the kernel forwards them on. Control: lines of JSON on stdin, answers on stdout (control.h).
// Usage: impair UP_TUN DOWN_TUN      ends when stdin ends.

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <string>

#include "control.h"

namespace impair {
namespace {

constexpr size_t kMaxPacket = 65'535;
constexpr int kBatch = 64;  ///< packets read in one go before due packets get their turn

int64_t Now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

int OpenTun(const char* name) {
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return -1;
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(fd, TUNSETIFF, &request) == 0) return fd;
  close(fd);
  return -1;
}

struct Direction {
  int tun = -1;
  Channel channel;

  void Read() {
    static uint8_t buffer[kMaxPacket];
    for (int i = 0; i < kBatch; ++i) {
      const ssize_t length = read(tun, buffer, sizeof buffer);
      if (length <= 0) return;
      channel.Receive({buffer, static_cast<size_t>(length)}, Now());
    }
  }

  void WriteDue() {
    const int64_t now = Now();
    for (int64_t due = channel.NextDue(); due >= 0 && due <= now; due = channel.NextDue()) {
      Bytes packet = channel.Take();
      if (packet.empty()) continue;
      RestoreHop(packet);
      channel.Sent(packet.size(), write(tun, packet.data(), packet.size()) == static_cast<ssize_t>(packet.size()));
    }
  }
};

/// Reads what stdin has and answers every whole line. False at its end.
bool Serve(std::string& pending, const Channels& channels) {
  char buffer[4096];
  const ssize_t length = read(STDIN_FILENO, buffer, sizeof buffer);
  if (length < 0) return errno == EINTR || errno == EAGAIN;
  if (length == 0) return false;
  pending.append(buffer, static_cast<size_t>(length));
  for (size_t end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
    puts(Answer(std::string_view(pending).substr(0, end), channels).c_str());
    pending.erase(0, end + 1);
  }
  return true;
}

/// How long to sleep: until the first packet of either direction is due. Null: until something comes.
timespec* UntilNext(const Direction* directions, timespec& wait) {
  int64_t first = -1;
  for (int i = 0; i < 2; ++i) {
    const int64_t due = directions[i].channel.NextDue();
    if (due >= 0 && (first < 0 || due < first)) first = due;
  }
  if (first < 0) return nullptr;
  const int64_t left = first > Now() ? first - Now() : 0;
  wait = {.tv_sec = left > 0 ? left / 1'000'000'000 : 0, .tv_nsec = left > 0 ? left % 1'000'000'000 : 0};
  return &wait;
}

int Run(Direction* directions) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const int sources[] = {directions[0].tun, directions[1].tun, STDIN_FILENO};
  for (uint32_t i = 0; i < 3; ++i) {
    epoll_event event{.events = EPOLLIN, .data = {.u32 = i}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, sources[i], &event) != 0) return perror("impair: epoll"), 1;
  }
  const Channels channels = {{"up", &directions[0].channel}, {"down", &directions[1].channel}};
  std::string pending;
  while (true) {
    timespec wait{};
    epoll_event events[3];
    const int ready = epoll_pwait2(epoll, events, 3, UntilNext(directions, wait), nullptr);
    if (ready < 0 && errno != EINTR) return perror("impair: epoll_pwait2"), 1;
    for (int i = 0; i < ready; ++i) {
      if (events[i].data.u32 < 2) directions[events[i].data.u32].Read();
      else if (!Serve(pending, channels)) return 0;
    }
    directions[0].WriteDue();
    directions[1].WriteDue();
  }
}

}  // namespace
}  // namespace impair

int main(int count, char** arguments) {
  if (count != 3) return fputs("usage: impair UP_TUN DOWN_TUN\n", stderr), 2;
  setvbuf(stdout, nullptr, _IOLBF, 0);
  // The default slack of 50 us would be a quarter of the precision that is promised.
  prctl(PR_SET_TIMERSLACK, 1);
  static impair::Direction directions[2];
  for (int i = 0; i < 2; ++i) {
    directions[i].tun = impair::OpenTun(arguments[i + 1]);
    if (directions[i].tun < 0) return perror("impair: /dev/net/tun"), 1;
  }
  puts("{\"ready\":true}");
  return impair::Run(directions);
}
