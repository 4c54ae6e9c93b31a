#include <vector>

#include "probe_message.h"
#include "reassembly.h"

namespace {

struct Checks : moat::aggfrag::Receiver {
  void Packet(std::span<uint8_t> packet) noexcept override {
    const auto block = moat::aggfrag::ReadBlock(packet);
    if (block.kind != moat::aggfrag::Block::Kind::kPacket || block.length != packet.size()) __builtin_trap();
    // Whoever gets a packet may change it.
    packet.front() ^= 0;
    packet.back() ^= 0;
  }
  void AllPad(std::span<const uint8_t> pad) noexcept override {
    moat::ProbeMessage message;
    moat::ReadProbeMessage(pad, message);
  }
};

}  // namespace

/* A sequence of payloads: step to the next sequence number (8, signed), length (16), octets. Each number is used once, as behind a replay window. */
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace moat;
  aggfrag::BufferPool pool(20);
  {
    aggfrag::Reassembly reassembly(pool);
    Checks checks;
    std::vector<bool> used(100'000);
    int64_t sequence = 1000;
    uint64_t nowMs = 0;
    while (size >= 3) {
      sequence += static_cast<int8_t>(data[0]);
      const size_t length = std::min(size_t{LoadBe16(data + 1)} % 300, size - 3);
      std::vector<uint8_t> payload(data + 3, data + 3 + length);
      data += 3 + length;
      size -= 3 + length;
      nowMs += 10;
      if (sequence < 1 || sequence >= 100'000 || used[static_cast<size_t>(sequence)]) continue;
      used[static_cast<size_t>(sequence)] = true;
      reassembly.Receive(static_cast<uint64_t>(sequence), payload, nowMs, checks);
    }
  }
  if (pool.InUse() != 0) __builtin_trap();
  return 0;
}
