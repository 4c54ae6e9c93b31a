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
#include "coalescer.h"
#include "esp.h"
#include "flow_queue.h"
#include "ip.h"
#include "outbound_table.h"
#include "replay_window.h"
#include "segmenter.h"

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

constexpr size_t kSegment = 1388, kSegments = 45, kHeaders = 52;

/// A TCP super-packet of IPv4 with timestamps, as TUN gives it.
struct SuperPacket {
  SuperPacket() : octets(kHeaders + kSegments * kSegment, 7) {
    const uint8_t headers[kHeaders] = {0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
                                       0,    9, 0, 9, 0, 0, 0,    1, 0,  0, 0, 1, 0x80, 0x10, 1, 0, 0, 0, 0, 0, 1, 1, 8, 10};
    std::memcpy(octets.data(), headers, sizeof headers);
    StoreBe16(&octets[2], static_cast<uint16_t>(octets.size()));
    offload.flags = OffloadHeader::kNeedsChecksum;
    offload.gsoType = OffloadHeader::kTcp4;
    offload.segmentLength = kSegment;
    ParseIp(octets, view);
  }

  std::vector<uint8_t> octets;
  OffloadHeader offload;
  IpView view;
};

void CutOne(const SuperPacket& packet, uint8_t* to) {
  Segmenter segmenter;
  segmenter.Begin(packet.octets, packet.view, packet.offload);
  for (size_t length = segmenter.NextLength(); length > 0; length = segmenter.NextLength()) {
    segmenter.WriteNext(to);
    to += length;
  }
}

/// All segments of a super-packet, into place.
void Cut(uint64_t count) {
  const SuperPacket packet;
  std::vector<uint8_t> cut(kSegments * (kHeaders + kSegment));
  for (uint64_t i = 0; i < count; ++i) CutOne(packet, cut.data());
  kept = cut[0];
}

struct Sink : PacketWriter {
  void Write(std::span<const iovec> pieces, const OffloadHeader&, size_t packets) noexcept override { kept = kept + pieces.size() + packets; }
};

/// The segments of a super-packet, parsed and joined again.
void Join(uint64_t count) {
  const SuperPacket packet;
  std::vector<uint8_t> cut(kSegments * (kHeaders + kSegment));
  CutOne(packet, cut.data());
  const std::vector<uint8_t> first(cut.begin(), cut.begin() + kHeaders);
  Sink sink;
  Coalescer coalescer(sink, true);
  for (uint64_t i = 0; i < count; ++i) {
    std::memcpy(cut.data(), first.data(), kHeaders);  // Joining has changed it.
    for (size_t at = 0; at < cut.size(); at += kHeaders + kSegment) {
      const std::span<uint8_t> one(&cut[at], kHeaders + kSegment);
      IpView view;
      ParseIp(one, view);
      coalescer.Add(one, view);
    }
    coalescer.Flush();
  }
}

/// Small packets of eight flows in and out of the flow queue, 64 at a time.
void Queue(uint64_t count) {
  Counters counters;
  FlowQueue queue(counters, 1);
  SuperPacket packet;
  for (uint64_t i = 0; i < count; ++i) {
    packet.view.sourcePort = static_cast<uint16_t>(i % 8);
    const std::span<uint8_t> room = queue.Room();
    room[0] = packet.octets[0];
    queue.Add(room.first(92), packet.view, {}, i);
    if (i % 64 != 63) continue;
    while (const FlowQueue::Packet* next = queue.Next(i)) kept = kept + next->octets.size();
  }
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
    {"cut-45-segments", Cut},
    {"join-45-segments", Join},
    {"flow-queue-92", Queue},
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
