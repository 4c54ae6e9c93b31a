#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "bench/tunnels.h"
#include "esp.h"
#include "ip.h"
#include "outbound_table.h"

/* Nanoseconds per packet of the pieces of the packet path, without system calls: the median of several rounds. */
namespace {

using namespace moat;

constexpr int kRounds = 9, kPackets = 20'000;

template <typename Work>
double MedianNanoseconds(Work work) {
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; round += 1) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kPackets; i += 1) work();
    rounds.push_back(std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / kPackets);
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds[kRounds / 2];
}

void MeasureEsp(const char* name, Cipher cipher, size_t length) {
  const std::vector<uint8_t> key(KeyMaterialLength(cipher), 3);
  esp::Sealer sealer{0x1000, true, Aead::Create(cipher, Aead::Direction::kSeal, key)};
  std::vector<uint8_t> buffer(esp::kHeadroom + length + esp::kMaxTrailer);
  const std::span<uint8_t> payload(buffer.data() + esp::kHeadroom, length);
  const double seal = MedianNanoseconds([&] { esp::Seal(sealer, payload, 4); });
  // Opening consumes packets, so each is made anew and the sealing is taken off.
  esp::Opener opener(0x1000, true, 4096);
  opener.aead = Aead::Create(cipher, Aead::Direction::kOpen, key);
  opener.window.Accept(sealer.sequence);
  const double both = MedianNanoseconds([&] {
    esp::Seal(sealer, payload, 4);
    esp::Opened opened;
    esp::Open(opener, {buffer.data(), esp::SealedLength(length)}, opened);
  });
  std::printf("%-18s %5zu octets  seal %6.0f ns  open %6.0f ns\n", name, length, seal, both - seal);
}

void MeasureLookup(uint32_t tunnels) {
  OutboundTable table;
  InstallTunnels(table, tunnels);
  volatile uint32_t found = 0;
  IpView view;
  view.source = {1, 4};
  view.destination = DestinationIn(tunnels / 2 + 1);
  std::printf("%-18s %5u tunnels %6.0f ns\n", "outbound look-up", tunnels, MedianNanoseconds([&] { found = found + table.Find(view)->sealer.spi; }));
}

}  // namespace

int main() {
  for (const size_t length : {size_t{64}, size_t{1400}}) {
    MeasureEsp("AES-128-GCM", Cipher::kAes128Gcm16, length);
    MeasureEsp("AES-256-GCM", Cipher::kAes256Gcm16, length);
    MeasureEsp("ChaCha20-Poly1305", Cipher::kChaCha20Poly1305, length);
  }
  MeasureLookup(1);
  MeasureLookup(10'000);
}
