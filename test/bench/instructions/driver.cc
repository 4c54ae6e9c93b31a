// driver OPERATION COUNT: one piece of the data plane's packet path, COUNT times and nothing else, so that the
// difference of two counts is the price of the operation alone. Without words: the operations, one a line.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "aggfrag.h"
#include "bench/tunnels.h"
#include "checksum.h"
#include "esp.h"
#include "ip.h"
#include "outbound_table.h"
#include "replay_window.h"

namespace {

using namespace moat;

/// What the compiler must believe to be needed.
volatile uint64_t kept = 0;

void Seal(size_t length, uint64_t count, bool open) {
  const std::vector<uint8_t> key(KeyMaterialLength(Cipher::kAes256Gcm16), 3);
  esp::Sealer sealer{0x1000, true, Aead::Create(Cipher::kAes256Gcm16, Aead::Direction::kSeal, key)};
  esp::Opener opener(0x1000, true, 4096);
  opener.aead = Aead::Create(Cipher::kAes256Gcm16, Aead::Direction::kOpen, key);
  std::vector<uint8_t> buffer(esp::kHeadroom + length + esp::kMaxTrailer);
  const std::span<uint8_t> payload(buffer.data() + esp::kHeadroom, length);
  for (uint64_t i = 0; i < count; ++i) {
    esp::Seal(sealer, payload, 4);
    if (!open) continue;
    esp::Opened opened;
    esp::Open(opener, {buffer.data(), esp::SealedLength(length)}, opened);
  }
  kept = buffer[0];
}

/// Each packet is for another tunnel than the one before, unless there is only one.
void LookUp(uint32_t tunnels, uint64_t count) {
  OutboundTable table;
  InstallTunnels(table, tunnels);
  IpView view;
  view.source = {1, 4};
  for (uint64_t i = 0; i < count; ++i) {
    view.destination = DestinationIn(static_cast<uint32_t>(i % tunnels) + 1);
    kept = kept + table.Find(view)->sealer.spi;
  }
}

void Pack(uint64_t count) {
  std::vector<uint8_t> packet(1500, 0x45), payload(1450);
  aggfrag::Packer packer;
  for (uint64_t i = 0; i < count; ++i) {
    packer.Add(packet, payload.size(), [&] { return payload.data(); }, [](std::span<uint8_t> full) { kept = full[3]; });
  }
}

void Window(uint64_t count) {
  ReplayWindow window(4096);
  // In pairs that come the wrong way round, as a reordering path delivers them.
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t sequence = 1 + (i ^ 1);
    if (window.Check(sequence)) window.Accept(sequence);
  }
  kept = window.Highest();
}

void Sum(uint64_t count) {
  std::vector<uint8_t> octets(1400, 7);
  for (uint64_t i = 0; i < count; ++i) kept = kept + AddToSum(0, octets);
}

const std::map<std::string, std::function<void(uint64_t)>> kOperations = {
    {"seal-64", [](uint64_t count) { Seal(64, count, false); }},
    {"seal-1400", [](uint64_t count) { Seal(1400, count, false); }},
    {"seal-and-open-1400", [](uint64_t count) { Seal(1400, count, true); }},
    {"look-up-1", [](uint64_t count) { LookUp(1, count); }},
    {"look-up-10000", [](uint64_t count) { LookUp(10'000, count); }},
    {"pack-1500", Pack},
    {"replay-window", Window},
    {"checksum-1400", Sum},
};

}  // namespace

int main(int count, char** words) {
  if (count == 3) {
    const auto found = kOperations.find(words[1]);
    if (found == kOperations.end()) return fprintf(stderr, "driver: no operation %s\n", words[1]), 2;
    found->second(strtoull(words[2], nullptr, 10));
    return 0;
  }
  for (const auto& [name, work] : kOperations) puts(name.c_str());
  return 0;
}
