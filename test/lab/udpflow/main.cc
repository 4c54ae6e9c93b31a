// udpflow: a UDP flow of numbered packets, for loss, duplicates, order, corruption, gaps and rates that ping cannot show.
//   udpflow receive PORT                                       one line of JSON when stdin ends
//   udpflow send ADDRESS PORT OCTETS PACKETS_PER_SECOND PACKETS [df]   one line of JSON when all are sent, or on SIGTERM
// OCTETS is the whole IP packet. A packet carries its number, the time it was sent (both ends share the machine's
// clock) and octets that follow from the number, so that one of another flow or a corrupted one is noticed.

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

constexpr uint64_t kMagic = 0x6D6F6174666C6F77;  // "moatflow"
constexpr size_t kBatch = 32;
constexpr size_t kMaxPacket = 65'535;
constexpr int64_t kSecond = 1'000'000'000;

struct Header {
  uint64_t magic;
  uint64_t number;
  int64_t sent;
};

int64_t Now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

uint8_t FillAt(uint64_t number, size_t at) { return static_cast<uint8_t>(number * 31 + at * 7); }

void Fill(uint8_t* packet, size_t octets, uint64_t number) {
  const Header header{kMagic, number, Now()};
  memcpy(packet, &header, sizeof header);
  for (size_t at = sizeof header; at < octets; ++at) packet[at] = FillAt(number, at);
}

bool IsIntact(const uint8_t* packet, size_t octets, const Header& header) {
  if (header.magic != kMagic) return false;
  for (size_t at = sizeof header; at < octets; ++at) {
    if (packet[at] != FillAt(header.number, at)) return false;
  }
  return true;
}

/// Numbers that did not come, and when the first came again after them.
struct Hole {
  int64_t ended, gap;
  uint64_t lost;
};

constexpr size_t kMaxHoles = 10'000;

/// What arrived. Numbers up to 2^28 (a bit each) are enough for an hour at 74 000 packets a second.
struct Tally {
  uint64_t received = 0, duplicates = 0, corrupted = 0, reordered = 0, octets = 0, highest = 0;
  int64_t first = 0, last = 0, longest_gap = 0, gap_at = 0, longest_delay = 0, last_transit = 0, transit_changes = 0;
  std::vector<uint64_t> seen;
  std::vector<uint32_t> delays;  ///< microseconds, one of 16 packets
  std::vector<Hole> holes;

  void Add(const uint8_t* packet, size_t length, int64_t now) {
    Header header{};
    if (length < sizeof header) return void(++corrupted);
    memcpy(&header, packet, sizeof header);
    if (!IsIntact(packet, length, header) || header.number >> 28 != 0) return void(++corrupted);
    const size_t word = header.number / 64;
    if (word >= seen.size()) seen.resize(word + 1024);
    const uint64_t bit = uint64_t{1} << header.number % 64;
    if (seen[word] & bit) return void(++duplicates);
    seen[word] |= bit;
    ++received;
    octets += length;
    if (header.number < highest) ++reordered;
    if (received > 1 && header.number > highest + 1 && holes.size() < kMaxHoles) {
      holes.push_back({now, now - last, header.number - highest - 1});
    }
    highest = std::max(highest, header.number);
    if (received == 1) first = now;
    if (received > 1 && now - last > longest_gap) {
      longest_gap = now - last;
      gap_at = last;
    }
    last = now;
    const int64_t transit = now - header.sent;
    longest_delay = std::max(longest_delay, transit);
    if (received > 1) transit_changes += std::abs(transit - last_transit);
    last_transit = transit;
    if (header.number % 16 == 0) delays.push_back(static_cast<uint32_t>((now - header.sent) / 1000));
  }

  /// Numbers that never came, as the first few; the sender knows how many there were in all.
  void Print() {
    std::sort(delays.begin(), delays.end());
    const auto delay = [this](double share) {
      return delays.empty() ? 0 : delays[static_cast<size_t>(share * static_cast<double>(delays.size() - 1))];
    };
    printf("{\"received\":%llu,\"duplicates\":%llu,\"corrupted\":%llu,\"reordered\":%llu,\"octets\":%llu,",
           static_cast<unsigned long long>(received), static_cast<unsigned long long>(duplicates),
           static_cast<unsigned long long>(corrupted), static_cast<unsigned long long>(reordered),
           static_cast<unsigned long long>(octets));
    printf("\"seconds\":%.6f,\"longestGapMs\":%.3f,\"gapAfterSeconds\":%.3f,",
           static_cast<double>(last - first) / kSecond, static_cast<double>(longest_gap) / 1e6,
           static_cast<double>(gap_at - first) / kSecond);
    const double pairs = static_cast<double>(std::max<uint64_t>(received, 2) - 1);
    printf("\"delayUs\":{\"p50\":%u,\"p99\":%u,\"max\":%lld},\"jitterUs\":%.3f,\"missing\":[", delay(0.5), delay(0.99),
           static_cast<long long>(longest_delay / 1000), static_cast<double>(transit_changes) / 1000 / pairs);
    size_t printed = 0;
    for (uint64_t number = 0; number <= highest && printed < 20 && received > 0; ++number) {
      if (seen[number / 64] & (uint64_t{1} << number % 64)) continue;
      printf("%s%llu", printed++ == 0 ? "" : ",", static_cast<unsigned long long>(number));
    }
    printf("],\"holes\":[");
    for (const Hole& hole : holes) {
      printf("%s{\"endedMs\":%.3f,\"gapMs\":%.3f,\"lost\":%llu}", &hole == holes.data() ? "" : ",",
             static_cast<double>(hole.ended) / 1e6, static_cast<double>(hole.gap) / 1e6,
             static_cast<unsigned long long>(hole.lost));
    }
    puts("]}");
  }
};

int Fail(const char* what) {
  fprintf(stderr, "udpflow: %s: %s\n", what, strerror(errno));
  return 1;
}

void WidenBuffers(int socket) {
  const int octets = 64 << 20;
  // The forced variants need CAP_NET_ADMIN, which the lab has: the flow itself must not be what loses packets.
  setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets);
  setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &octets, sizeof octets);
}

int Receive(uint16_t port) {
  const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(port);
  WidenBuffers(fd);
  if (bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) != 0) return Fail("bind");
  puts("ready");
  fflush(stdout);
  std::vector<uint8_t> room(kBatch * kMaxPacket);
  iovec vectors[kBatch];
  mmsghdr messages[kBatch]{};
  for (size_t i = 0; i < kBatch; ++i) {
    vectors[i] = {&room[i * kMaxPacket], kMaxPacket};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  Tally tally;
  while (true) {
    pollfd sources[2] = {{fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    if (poll(sources, 2, -1) < 0 && errno != EINTR) return Fail("poll");
    if (sources[0].revents != 0) {
      const int count = recvmmsg(fd, messages, kBatch, MSG_DONTWAIT, nullptr);
      const int64_t now = Now();
      for (int i = 0; i < count; ++i) tally.Add(&room[static_cast<size_t>(i) * kMaxPacket], messages[i].msg_len, now);
    } else if (sources[1].revents != 0) {
      tally.Print();
      return 0;
    }
  }
}

/// A connected socket; with `df` the kernel neither fragments nor believes in a smaller path.
int Connect(const char* address, const char* port, bool df) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (getaddrinfo(address, port, &hints, &found) != 0) return -1;
  const int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int v4 = df ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT;
  const int v6 = df ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT;
  if (found->ai_family == AF_INET) setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof v4);
  else setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof v6);
  WidenBuffers(fd);
  const bool ok = connect(fd, found->ai_addr, found->ai_addrlen) == 0;
  freeaddrinfo(found);
  return ok ? fd : -1;
}

void SleepUntil(int64_t time) {
  const timespec wanted{.tv_sec = time / kSecond, .tv_nsec = time % kSecond};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wanted, nullptr);
}

volatile sig_atomic_t told_to_stop = 0;

/// Sleeping for less than this costs more than it is worth; a few packets in a row are still an even flow.
constexpr int64_t kNap = 50'000;

/// Equal packets that leave in one system call, each a packet of its own: the load shall cost as little as it can.
class Batch {
 public:
  explicit Batch(size_t octets) : octets_(octets), room_(kBatch * octets) {
    for (size_t i = 0; i < kBatch; ++i) {
      vectors_[i] = {&room_[i * octets], octets};
      messages_[i].msg_hdr.msg_iov = &vectors_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  /// Sends `count` packets, numbered from `number`. Returns how many the kernel refused.
  uint64_t Send(int fd, uint64_t number, size_t count) {
    for (size_t i = 0; i < count; ++i) Fill(&room_[i * octets_], octets_, number + i);
    uint64_t refused = 0;
    for (size_t at = 0; at < count;) {
      int sent = sendmmsg(fd, &messages_[at], static_cast<unsigned>(count - at), 0);
      // An ICMP error about an earlier packet shows up once as an error of the next call: that one is sent again.
      if (sent < 0 && errno != EMSGSIZE) sent = sendmmsg(fd, &messages_[at], static_cast<unsigned>(count - at), 0);
      refused += sent < 0 ? 1 : 0;
      at += sent < 0 ? 1 : static_cast<size_t>(sent);
    }
    return refused;
  }

 private:
  size_t octets_;
  std::vector<uint8_t> room_;
  iovec vectors_[kBatch];
  mmsghdr messages_[kBatch]{};
};

int Send(int fd, size_t octets, double rate, uint64_t packets) {
  Batch batch(octets);
  uint64_t refused = 0;
  uint64_t number = 0;
  signal(SIGTERM, [](int) { told_to_stop = 1; });
  const int64_t start = Now();
  while (number < packets && !told_to_stop) {
    const int64_t due = start + static_cast<int64_t>(static_cast<double>(number) * kSecond / rate);
    if (due - Now() > kNap) SleepUntil(due);
    const auto due_by_now = static_cast<uint64_t>(static_cast<double>(Now() + kNap - start) * rate / kSecond) + 1;
    const uint64_t last = std::min({std::max(due_by_now, number + 1), number + kBatch, packets});
    refused += batch.Send(fd, number, last - number);
    number = last;
  }
  printf("{\"sent\":%llu,\"refused\":%llu,\"seconds\":%.6f}\n", static_cast<unsigned long long>(number - refused),
         static_cast<unsigned long long>(refused), static_cast<double>(Now() - start) / kSecond);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  prctl(PR_SET_TIMERSLACK, 1);
  if (count == 3 && strcmp(arguments[1], "receive") == 0) {
    return Receive(static_cast<uint16_t>(strtoul(arguments[2], nullptr, 10)));
  }
  if (count < 7 || strcmp(arguments[1], "send") != 0) {
    return fputs("usage: udpflow receive PORT | send ADDRESS PORT OCTETS RATE PACKETS [df]\n", stderr), 2;
  }
  const bool df = count > 7 && strcmp(arguments[7], "df") == 0;
  const int fd = Connect(arguments[2], arguments[3], df);
  if (fd < 0) return Fail(arguments[2]);
  const size_t headers = strchr(arguments[2], ':') != nullptr ? 48 : 28;
  const size_t octets = strtoul(arguments[4], nullptr, 10);
  if (octets < headers + sizeof(Header) || octets > kMaxPacket) return fputs("udpflow: OCTETS out of range\n", stderr), 2;
  return Send(fd, octets - headers, strtod(arguments[5], nullptr), strtoull(arguments[6], nullptr, 10));
}
