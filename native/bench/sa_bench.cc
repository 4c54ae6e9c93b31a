#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <thread>

#include "clock.h"
#include "pair.h"
#include "plane.h"

/*
 * What many SAs cost: the time of one packet with 1 and with 10,000 SAs installed; packets lost and delayed while 1,000 SAs come and go; memory.
 * Over loopback sockets, without privileges; it prints each bar with `ok` or `MISSED`, and ends with 1 when one was missed.
 */
namespace {

using namespace moat;
using namespace moat::bench;

bool missed = false;

void Report(const char* what, double value, double bar, const char* unit) {
  const bool ok = value < bar;
  missed = missed || !ok;
  std::printf("%-58s %9.2f %-4s (bar %g) %s\n", what, value, unit, bar, ok ? "ok" : "MISSED");
}

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double ResidentMegabytes() {
  std::ifstream file("/proc/self/statm");
  double size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

/** Both directions of a plane, driven by hand on the calling thread: what its own gateway sends comes back in through its own socket. */
class Loop {
 public:
  static constexpr int kBurst = 60;

  Loop(uint16_t firstPort, uint32_t tunnels) : sockets_(*Sockets::Open({firstPort, static_cast<uint16_t>(firstPort + 1)}, error_)) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    kernelSide_ = TunOver(ends[0]);
    tun_ = TunOver(ends[1]);
    outbound_ = std::make_unique<Outbound>(Outbound::Parts{*tun_, sockets_, silence_, 1500, 1});
    inbound_ = std::make_unique<Inbound>(Inbound::Parts{*tun_, sockets_, silence_, silence_});
    const std::vector<uint8_t> key(36, 7);
    const Endpoint self{{0x7f000001, 4}, static_cast<uint16_t>(firstPort + 1)};
    for (uint32_t tunnel = 1; tunnel <= tunnels; tunnel += 1) {
      const OutboundSettings settings = SettingsOf(tunnel, {self, self}, key);
      const auto state = std::make_shared<TunnelState>(tunnel);
      auto out = MakeOutboundSa(settings);
      out->state = state;
      outbound_->Install(std::move(out), 1);
      auto in = MakeInboundSa(Mirrored(settings), 4096);
      in->state = state;
      inbound_->Install(std::move(in));
    }
  }

  /** Nanoseconds of one packet of `tunnel`, out and in. */
  double Measure(uint32_t tunnel, int bursts) {
    const std::vector<uint8_t> packet = PacketOf(tunnel, 500);
    double seconds = 0;
    uint8_t sink[2048];
    for (int burst = 0; burst < bursts; burst += 1) {
      for (int i = 0; i < kBurst; i += 1) kernelSide_->Write(packet);
      const double start = ThreadSeconds();
      // Turns follow each other closely: after a calm a turn would read the first packet alone.
      outbound_->TakeTurn(nowUs_ += 10, false);
      inbound_->Readable(SocketKind::kNatTraversal4, nowUs_ / 1000);
      seconds += ThreadSeconds() - start;
      OffloadHeader offload;
      while (kernelSide_->Read(sink, offload) > 0) got_ += 1;
    }
    return seconds * 1e9 / bursts / kBurst;
  }

  uint64_t Got() const { return got_; }

 private:
  Silence silence_;
  OpenError error_;
  Sockets sockets_;
  std::optional<Tun> kernelSide_, tun_;
  std::unique_ptr<Outbound> outbound_;
  std::unique_ptr<Inbound> inbound_;
  uint64_t nowUs_ = 1'000'000, got_ = 0;
};

void MeasureManySas() {
  constexpr uint32_t kMany = 10'000;
  constexpr int kRounds = 101, kBursts = 20;
  Loop one(18500, 1), many(18510, kMany);
  std::vector<double> ones, manys, shares;
  for (int round = 0; round < kRounds; round += 1) {
    const double a = one.Measure(1, kBursts), b = many.Measure(kMany / 2 + 1, kBursts);
    ones.push_back(a);
    manys.push_back(b);
    shares.push_back((b / a - 1) * 100);
  }
  const auto median = [](std::vector<double>& all) {
    std::nth_element(all.begin(), all.begin() + kRounds / 2, all.end());
    return all[kRounds / 2];
  };
  if (one.Got() != many.Got() || one.Got() + Loop::kBurst < uint64_t{kRounds} * kBursts * Loop::kBurst) std::abort();
  std::printf("one packet out and in: %.0f ns with 1 SA, %.0f ns with %u\n", median(ones), median(manys), kMany);
  Report("slower with 10,000 SAs installed", median(shares), 5, "%");
}

/** A flow of numbered packets through two planes while SAs come and go: how many are lost, and the longest time under way. */
struct Flow {
  uint64_t sent = 0, received = 0;
  double longestMs = 0;
};

Flow Run(Tun& in, Tun& out, double seconds, const std::function<void()>& meanwhile) {
  std::atomic<bool> stop = false;
  Flow flow;
  std::thread sender([&] {
    std::vector<uint8_t> packet = PacketOf(1, 200);
    const uint64_t endUs = MonotonicUs() + static_cast<uint64_t>(seconds * 1e6);
    for (uint64_t nowUs = MonotonicUs(); nowUs < endUs; nowUs = MonotonicUs()) {
      std::memcpy(&packet[40], &nowUs, sizeof nowUs);
      flow.sent += in.Write(packet) ? 1 : 0;
      usleep(30);
    }
    stop = true;
  });
  std::thread receiver([&] {
    uint8_t packet[2048];
    OffloadHeader offload;
    for (int idle = 0; !stop || idle < 200;) {
      if (out.Read(packet, offload) == 0) {
        idle += 1;
        usleep(100);
        continue;
      }
      idle = 0;
      uint64_t sentUs;
      std::memcpy(&sentUs, packet + 40, sizeof sentUs);
      flow.received += 1;
      flow.longestMs = std::max(flow.longestMs, static_cast<double>(MonotonicUs() - sentUs) / 1000);
    }
  });
  meanwhile();
  sender.join();
  receiver.join();
  return flow;
}

void MeasureChurn() {
  Silence silence;
  std::optional<Tun> ends[2];
  std::unique_ptr<Plane> planes[2];
  Endpoint at[2];
  for (int i = 0; i < 2; i += 1) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) std::abort();
    ends[i] = TunOver(pair[0]);
    PlaneOptions options;
    options.ports = {static_cast<uint16_t>(18520 + 10 * i), static_cast<uint16_t>(18521 + 10 * i)};
    at[i] = {{0x7f000001, 4}, options.ports.natTraversal};
    OpenError error;
    planes[i] = Plane::OpenOver(TunOver(pair[1]), options, silence, error);
    if (!planes[i]) std::abort();
  }
  const std::vector<uint8_t> key(36, 7);
  const auto install = [&](uint32_t tunnel) {
    const OutboundSettings settings = SettingsOf(tunnel, {at[0], at[1]}, key);
    if (!planes[1]->Install(Mirrored(settings)) || !planes[0]->Install(settings)) std::abort();
  };
  const auto remove = [&](uint32_t tunnel) {
    planes[0]->RemoveOutbound(tunnel, 0x10000 + tunnel);
    planes[1]->RemoveInbound(0x10000 + tunnel);
  };
  install(1);
  usleep(100'000);
  // What the machine does besides differs from round to round; what the churn does, does not: the best round tells.
  constexpr int kRounds = 5;
  double longestMs = 1e9, undisturbedMs = 1e9;
  uint64_t sent = 0, lost = 0;
  for (int round = 0; round < kRounds; round += 1) {
    const Flow churn = Run(*ends[0], *ends[1], 1, [&] {
      usleep(50'000);
      for (uint32_t tunnel = 2; tunnel <= 1001; tunnel += 1) install(tunnel);
      for (uint32_t tunnel = 2; tunnel <= 1001; tunnel += 1) remove(tunnel);
    });
    undisturbedMs = std::min(undisturbedMs, Run(*ends[0], *ends[1], 0.5, [] {}).longestMs);
    sent += churn.sent;
    lost += churn.sent - churn.received;
    longestMs = std::min(longestMs, churn.longestMs);
  }
  std::printf("a flow of %llu packets while 1,000 SAs were added and removed, %d times; without, at best %.2f ms under way\n",
              static_cast<unsigned long long>(sent), kRounds, undisturbedMs);
  Report("packets of it lost", static_cast<double>(lost), 1, "");
  Report("longest time under way, best round", longestMs, 5, "ms");
}

void MeasureMemory() {
  const double before = ResidentMegabytes();
  Loop loop(18540, 1);
  const double empty = ResidentMegabytes();
  Loop many(18550, 10'000);
  // Used once each, so that what is made on first use is there.
  for (uint32_t tunnel = 1; tunnel <= 10'000; tunnel += 1) many.Measure(tunnel, 1);
  const double full = ResidentMegabytes();
  std::printf("an empty plane %.1f MB; each SA in both directions %.1f KB\n", empty - before, (full - empty) / 10'000 * 1000);
  Report("memory with 10,000 tunnels, an SA in each direction", full - before, 200, "MB");
}

}  // namespace

int main() {
  // First, because what others have freed would not be counted.
  MeasureMemory();
  MeasureManySas();
  MeasureChurn();
  return missed ? 1 : 0;
}
