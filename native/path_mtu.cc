#include "path_mtu.h"

#include <algorithm>

namespace moat {
namespace {

/** Path sizes of real access lines (design notes, RFC 8899 5.3.3), so that the first round mostly hits. */
constexpr uint16_t kLadder[] = {1200, 1280, 1358, 1380, 1400, 1420, 1440, 1460, 1480, 1492, 1500, 4352, 9000};

/** Candidates of one round between two bounds. */
constexpr size_t kCandidates = 4;

/** Time that the rest of a round gets after each acknowledgement: jitter of the path, and the time that a large packet takes on a slow line. */
uint64_t Grace(uint64_t roundTripMs) { return std::max<uint64_t>(20, roundTripMs / 2); }

}  // namespace

void PathMtu::Restart(Limits limits, uint64_t nowMs) noexcept {
  limits_ = limits;
  size_ = limits.smallest;
  ceiling_ = static_cast<uint16_t>(limits.largest + 1);
  complete_ = answered_ = false;
  misses_ = 0;
  Ladder(nowMs);
}

void PathMtu::AddSize(uint16_t size) noexcept {
  if (count_ == kMostSizes) return;
  soundings_[count_] = {size, false};
  count_ += 1;
}

void PathMtu::BeginRound(Purpose purpose, uint64_t nowMs) noexcept {
  firstId_ += static_cast<uint32_t>(count_);
  purpose_ = purpose;
  count_ = nextToSend_ = 0;
  beganMs_ = nowMs;
  deadlineMs_ = nowMs + kProbeMs;
  AddSize(limits_.smallest);
}

void PathMtu::Ladder(uint64_t nowMs) noexcept {
  BeginRound(Purpose::kSearch, nowMs);
  attempt_ = 1;
  for (const uint16_t size : kLadder) {
    if (size > size_ && size < ceiling_) AddSize(size);
  }
  if (count_ == 1) Between(nowMs);
}

void PathMtu::Between(uint64_t nowMs) noexcept {
  const int gap = ceiling_ - size_;
  if (gap <= kGranularity) return Finish(nowMs);
  BeginRound(Purpose::kSearch, nowMs);
  attempt_ = 1;
  uint16_t last = size_;
  for (size_t i = 1; i <= kCandidates; i += 1) {
    const auto size = static_cast<uint16_t>(size_ + static_cast<size_t>(gap) * i / (kCandidates + 1));
    if (size > last) AddSize(size);
    last = size;
  }
}

/** Repeats what was not heard. If anything was, a few sizes are enough: the path is narrow, not dead. */
void PathMtu::Again(bool anyHeard, uint64_t nowMs) noexcept {
  const size_t most = anyHeard ? kCandidates : kMostSizes;
  std::array<uint16_t, kMostSizes> silent{};
  size_t silentCount = 0;
  for (size_t i = 0; i < count_; i += 1) {
    const Sounding& one = soundings_[i];
    const bool wanted = !one.heard && one.size > size_ && one.size < ceiling_;
    if (wanted && silentCount < most) silent[silentCount++] = one.size;
  }
  attempt_ += 1;
  BeginRound(Purpose::kSearch, nowMs);
  for (size_t i = 0; i < silentCount; i += 1) AddSize(silent[i]);
}

bool PathMtu::NextProbe(Probe& probe, uint64_t nowMs) noexcept {
  if (purpose_ == Purpose::kNone || nextToSend_ == count_) return false;
  if (nextToSend_ == 0) {
    beganMs_ = nowMs;
    deadlineMs_ = nowMs + kProbeMs;
  }
  probe = {firstId_ + static_cast<uint32_t>(nextToSend_), soundings_[nextToSend_].size, purpose_ == Purpose::kSearch};
  nextToSend_ += 1;
  return true;
}

void PathMtu::Acknowledged(uint32_t id, uint64_t nowMs) noexcept {
  const uint32_t index = id - firstId_;
  if (purpose_ == Purpose::kNone || index >= nextToSend_) return;
  Sounding& one = soundings_[index];
  one.heard = answered_ = true;
  if (one.size > size_ && one.size < ceiling_) {
    size_ = one.size;
    foundMs_ = nowMs;
  }
  deadlineMs_ = nowMs + Grace(nowMs - beganMs_);
  const bool all = nextToSend_ == count_ && std::all_of(soundings_.begin(), soundings_.begin() + static_cast<ptrdiff_t>(count_),
                                                        [&](const Sounding& sounding) { return sounding.heard || sounding.size >= ceiling_; });
  if (all) EndRound(nowMs);
}

void PathMtu::TooLargeHere(uint16_t size, uint64_t nowMs) noexcept {
  if (size <= limits_.smallest) return;
  ceiling_ = std::min(ceiling_, size);
  if (size_ >= ceiling_) {
    const uint16_t known = ceiling_;
    Restart(limits_, nowMs);
    ceiling_ = known;
  }
}

void PathMtu::Tick(uint64_t nowMs) noexcept {
  if (purpose_ != Purpose::kNone && nowMs >= deadlineMs_) EndRound(nowMs);
}

void PathMtu::EndRound(uint64_t nowMs) noexcept {
  bool anyHeard = false;
  for (size_t i = 0; i < count_; i += 1) anyHeard = anyHeard || soundings_[i].heard;
  if (purpose_ == Purpose::kVerify) {
    EndVerifyRound(anyHeard, nowMs);
  } else {
    EndSearchRound(anyHeard, nowMs);
  }
}

void PathMtu::EndSearchRound(bool anyHeard, uint64_t nowMs) noexcept {
  uint16_t silent = ceiling_;
  for (size_t i = 0; i < count_; i += 1) {
    const Sounding& one = soundings_[i];
    if (!one.heard && one.size > size_) silent = std::min(silent, one.size);
  }
  if (silent < ceiling_ || !anyHeard) {
    const int attempts = anyHeard || !answered_ ? kMaxProbes : 2 * kMaxProbes;
    if (attempt_ < attempts) return Again(anyHeard, nowMs);
    // Nobody answers: the path is down, or the peer does not know probes. What is known stays.
    if (!anyHeard) return Finish(nowMs);
    ceiling_ = silent;
  }
  Between(nowMs);
}

void PathMtu::EndVerifyRound(bool anyHeard, uint64_t nowMs) noexcept {
  const bool currentHeard = soundings_[count_ - 1].heard;
  purpose_ = Purpose::kNone;
  verifiedMs_ = nowMs;
  if (currentHeard) misses_ = 0;
  if (currentHeard || !anyHeard) return;
  misses_ += 1;
  if (misses_ < kMaxProbes) {
    BeginRound(Purpose::kVerify, nowMs);
    AddSize(size_);
    return;
  }
  blackHoles_ += 1;
  Restart(limits_, nowMs);
}

void PathMtu::Finish(uint64_t nowMs) noexcept {
  purpose_ = Purpose::kNone;
  complete_ = answered_;
  finishedMs_ = verifiedMs_ = nowMs;
  envelopes_ = 0;
}

void PathMtu::Sent(uint64_t largeEnvelopes, uint64_t nowMs) noexcept {
  envelopes_ += largeEnvelopes;
  if (purpose_ != Purpose::kNone) return;
  if (nowMs - finishedMs_ >= (answered_ ? kRaiseMs : kUnansweredMs) && (!answered_ || limits_.largest - size_ > kGranularity)) {
    ceiling_ = static_cast<uint16_t>(limits_.largest + 1);
    Ladder(nowMs);
    return;
  }
  const uint64_t sinceMs = nowMs - verifiedMs_;
  const bool due = sinceMs >= kVerifyMaxMs ? envelopes_ > 0 : sinceMs >= kVerifyMinMs && envelopes_ >= kVerifyEnvelopes;
  if (!due || !answered_ || size_ <= limits_.smallest) return;
  envelopes_ = 0;
  BeginRound(Purpose::kVerify, nowMs);
  AddSize(size_);
}

}  // namespace moat
