#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <queue>
#include <string>
#include <vector>

#include "packet.h"
#include "random.h"

namespace impair {

struct Block {
  uint8_t protocol = 0;
  uint16_t port = 0;  ///< source or destination; 0 blocks the whole protocol
};

/// Everything that is wrong with one direction. Probabilities in [0, 1], times in nanoseconds.
struct Settings {
  int64_t delay = 0;
  int64_t jitter = 0;  ///< uniform in [-jitter, +jitter] around delay; keeps the order of packets
  double loss = 0;
  double burst = 1;  ///< mean packets lost in a row (Gilbert-Elliott whose bad state loses all); 1: independent
  double reorder = 0;
  int64_t reorder_delay = 0;     ///< extra delay of a reordered packet, or
  uint32_t reorder_packets = 0;  ///< so many later packets go first
  double duplicate = 0;
  double corrupt = 0;
  double rate = 0;                  ///< bits of IP per second; 0: no limit
  int64_t queue = 50'000'000;       ///< what waits longer for its turn at `rate` is dropped
  uint32_t mtu = 0;                 ///< octets of IP; 0: no limit
  bool eat_icmp = false;
  bool eat_fragments = false;  ///< neither passes fragments nor makes them, as many firewalls and address translators
  std::vector<Block> blocks;
};

enum class Count : size_t {
  kPacketsIn, kOctetsIn, kPacketsOut, kOctetsOut, kLost, kBlocked, kIcmpEaten, kFragmentEaten, kTooBig, kQueueFull, kMalformed,
  kWriteFailed, kFragmented, kTooBigSent, kDuplicated, kReordered, kCorrupted, kSize,
};
extern const std::array<const char*, static_cast<size_t>(Count::kSize)> kCountNames;
using Counts = std::array<uint64_t, static_cast<size_t>(Count::kSize)>;

/// One direction of the internet. Pure: takes packets and the time, gives back packets that are due.
class Channel {
 public:
  void Configure(Settings settings, uint64_t seed);
  void Receive(std::span<const uint8_t> packet, int64_t now);

  /// When the next packet is due, or -1.
  int64_t NextDue() const { return waiting_.empty() ? -1 : waiting_.top().due; }
  /// Takes the packet that is due first. Only after NextDue() said that there is one.
  Bytes Take();
  void Sent(size_t octets, bool ok);

  const Counts& counts() const { return counts_; }
  size_t waiting() const { return waiting_.size() + held_.size(); }

 private:
  struct Waiting {
    int64_t due;
    uint64_t order;
    mutable Bytes packet;  ///< mutable: std::priority_queue shows its top as const, and it is moved out once
    bool operator<(const Waiting& other) const { return due != other.due ? due > other.due : order > other.order; }
  };
  struct Held {
    Bytes packet;
    uint32_t after;
    int64_t latest;
  };

  void Add(Count count, uint64_t by = 1) { counts_[static_cast<size_t>(count)] += by; }
  bool Blocked(const IpView& view);
  void CutToMtu(std::span<const uint8_t> packet, const IpView& view, int64_t now);
  void Impair(Bytes packet, int64_t now);
  bool Loses();
  /// When the packet has left the bottleneck, or -1 when its queue is full.
  int64_t Depart(size_t octets, int64_t now);
  void Schedule(Bytes packet, int64_t due);
  void ReleaseHeld(int64_t due, int64_t now);

  Settings settings_;
  Random random_{1};
  Counts counts_{};
  std::priority_queue<Waiting> waiting_;
  std::vector<Held> held_;
  uint64_t order_ = 0;
  size_t waiting_octets_ = 0;
  int64_t busy_until_ = 0;
  int64_t last_due_ = 0;
  bool bad_state_ = false;
};

}  // namespace impair
