#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace moat {

/** A packet of the wanted size that the peer is asked to acknowledge. */
struct Probe {
  uint32_t id;
  /** Octets of the outer IP packet. */
  uint16_t size;
  /** Of a search, most of whose probes are too large for the path. */
  bool search;
};

/**
 * The largest outer packet that reaches the peer: DPLPMTUD (RFC 8899) for one tunnel in one direction, without I/O. Sizes are octets of outer
 * IP packets, times are milliseconds of one clock.
 *
 * Theory of operation: probes go out in rounds, several sizes at once with a small one among them that every path carries. Each
 * acknowledgement raises the size at once, so that a search needs one round trip for a usable value, and the first acknowledgement
 * sets the time that the others still have. Sizes that stay silent in kMaxProbes rounds, while the small one was heard, are
 * too large; rounds between the largest heard and the smallest silent size follow until they are kGranularity apart.
 *
 *   Searching --narrow enough--> Complete --kRaiseMs and traffic--> Searching (only above)
 *   Complete --traffic: verify rounds { smallest, current }; current silent kMaxProbes times--> black hole: Searching from the start
 *
 * The size is then the smallest until something larger is heard again, so traffic flows meanwhile. Without traffic nothing is sent.
 */
class PathMtu {
 public:
  struct Limits {
    uint16_t smallest;
    uint16_t largest;
  };

  /** RFC 8899 5.1.2 MAX_PROBES. */
  static constexpr int kMaxProbes = 3;
  /** A round without any answer ends after this (RFC 8899 5.1.1 PROBE_TIMER: at least one second). */
  static constexpr uint64_t kProbeMs = 1000;
  /** PMTU_RAISE_TIMER; shorter than RFC 8899's 600 s, since a round costs a handful of packets. */
  static constexpr uint64_t kRaiseMs = 30'000;
  /** The next search when nothing was heard at all. */
  static constexpr uint64_t kUnansweredMs = 5'000;
  /** Traffic is verified after this many large envelopes, but not more often than the first time and not later than the second. */
  static constexpr uint64_t kVerifyEnvelopes = 64, kVerifyMinMs = 100, kVerifyMaxMs = 500;
  static constexpr uint16_t kGranularity = 8;

  PathMtu(Limits limits, uint64_t nowMs) { Restart(limits, nowMs); }

  /** The path is another one: everything known is forgotten, but not which probes are ours. */
  void Restart(Limits limits, uint64_t nowMs) noexcept;

  /** Envelopes may be this large. */
  uint16_t Size() const noexcept { return size_; }
  /** What to tell TCP: during a search it expects the usual, so that connections made meanwhile are not small for ever. */
  uint16_t ClampSize() const noexcept { return complete_ || size_ > kUsual ? size_ : kUsual; }
  /** The peer has answered a probe on this path. */
  bool Answered() const noexcept { return answered_; }
  bool Complete() const noexcept { return complete_; }
  /** When the size was last found or confirmed by a search; 0 = never. */
  uint64_t FoundMs() const noexcept { return foundMs_; }
  uint64_t BlackHoles() const noexcept { return blackHoles_; }

  /** The next probe to send now; to be asked until false. */
  bool NextProbe(Probe& probe, uint64_t nowMs) noexcept;
  void Acknowledged(uint32_t id, uint64_t nowMs) noexcept;
  /** This machine's own interface carries no packet of `size` octets. */
  void TooLargeHere(uint16_t size, uint64_t nowMs) noexcept;
  /** Traffic was sent: that many envelopes larger than the smallest size. May begin a round. */
  void Sent(uint64_t largeEnvelopes, uint64_t nowMs) noexcept;
  /** To be called at `WakeAt()`. */
  void Tick(uint64_t nowMs) noexcept;
  /** When the round in flight ends; UINT64_MAX when there is none. */
  uint64_t WakeAt() const noexcept { return purpose_ == Purpose::kNone ? UINT64_MAX : deadlineMs_; }

 private:
  enum class Purpose : uint8_t { kNone, kSearch, kVerify };

  static constexpr size_t kMostSizes = 16;
  static constexpr uint16_t kUsual = 1280;

  struct Sounding {
    uint16_t size;
    bool heard;
  };

  void BeginRound(Purpose purpose, uint64_t nowMs) noexcept;
  void AddSize(uint16_t size) noexcept;
  void Ladder(uint64_t nowMs) noexcept;
  void Between(uint64_t nowMs) noexcept;
  void Again(bool anyHeard, uint64_t nowMs) noexcept;
  void EndRound(uint64_t nowMs) noexcept;
  void EndSearchRound(bool anyHeard, uint64_t nowMs) noexcept;
  void EndVerifyRound(bool anyHeard, uint64_t nowMs) noexcept;
  void Finish(uint64_t nowMs) noexcept;

  Limits limits_{};
  uint16_t size_ = 0;
  /** The smallest size known not to pass. */
  uint16_t ceiling_ = 0;
  bool complete_ = false;
  bool answered_ = false;

  Purpose purpose_ = Purpose::kNone;
  std::array<Sounding, kMostSizes> soundings_{};
  size_t count_ = 0;
  size_t nextToSend_ = 0;
  uint32_t firstId_ = 1;
  int attempt_ = 0;
  int misses_ = 0;
  uint64_t beganMs_ = 0;
  uint64_t deadlineMs_ = 0;

  uint64_t foundMs_ = 0;
  uint64_t finishedMs_ = 0;
  uint64_t verifiedMs_ = 0;
  uint64_t envelopes_ = 0;
  uint64_t blackHoles_ = 0;
};

}  // namespace moat
