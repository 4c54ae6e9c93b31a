#include "reassembly.h"

namespace moat::aggfrag {

Reassembly::~Reassembly() {
  for (Place& place : ring_) GiveUp(place);
}

void Reassembly::Sweep(uint64_t nowMs) noexcept {
  if (ring_.empty() || nowMs - lastMs_ <= kDropMs) return;
  for (Place& place : ring_) GiveUp(place);
  ring_ = std::vector<Place>();
}

/** The place of a number that has come; null when it has not, or has left the window. */
Reassembly::Place* Reassembly::Present(uint64_t sequence) noexcept {
  Place& place = At(sequence);
  return place.sequence == sequence && place.state != Place::State::kMissing ? &place : nullptr;
}

void Reassembly::Abandon(Place& start) noexcept {
  if (!start.start) return;
  incomplete_ += 1;
  pool_.GiveBack(std::move(start.start));
}

void Reassembly::GiveUp(Place& place) noexcept {
  Abandon(place);
  pool_.GiveBack(std::move(place.orphan));
  place.state = Place::State::kMissing;
  place.carries = 0;
}

/** The place that `sequence` takes now; null when it is older than the window. */
Reassembly::Place* Reassembly::Enter(uint64_t sequence) noexcept {
  if (sequence + kWindow <= highest_) return nullptr;
  const uint64_t oldest = sequence < kWindow ? 0 : sequence - kWindow;
  for (uint64_t entering = std::max(highest_, oldest) + 1; entering <= sequence; entering += 1) {
    GiveUp(At(entering));
    At(entering).sequence = entering;
  }
  highest_ = std::max(highest_, sequence);
  Place& place = At(sequence);
  // A place that was entered before its number came (a later one was first) has no number yet on a fresh ring.
  place.sequence = sequence;
  place.state = Place::State::kRead;
  return &place;
}

Drop Reassembly::Receive(uint64_t sequence, std::span<uint8_t> payload, uint64_t nowMs, Receiver& receiver) noexcept {
  if (payload.size() < kHeaderLength || payload[0] > kSubTypeCongestion) return Drop::kMalformed;
  const size_t headerLength = payload[0] == kSubTypeBasic ? kHeaderLength : kCongestionHeaderLength;
  if (payload.size() < headerLength) return Drop::kMalformed;
  const Moment moment{nowMs, receiver};
  const std::span<uint8_t> data = payload.subspan(headerLength);
  const size_t blockOffset = LoadBe16(&payload[2]);
  // An SA whose packets were never split needs no ring.
  if (ring_.empty() && blockOffset != 0) ring_.resize(kWindow);
  lastMs_ = nowMs;
  Place* place = ring_.empty() ? nullptr : Enter(sequence);
  if (blockOffset == 0 && (data.empty() || data[0] >> 4 == 0)) {
    receiver.AllPad(data);
    if (place == nullptr) return Drop::kNone;
    place->state = Place::State::kAllPad;
    return Present(sequence - 1) == nullptr ? Drop::kNone : Chain(sequence - 1, moment);
  }
  const size_t continued = std::min(blockOffset, data.size());
  Drop first = Drop::kNone;
  if (place != nullptr) first = Continue(*place, {static_cast<uint32_t>(blockOffset), data.first(continued)}, moment);
  const Drop second = ReadBlocks(sequence, data.subspan(continued), moment);
  return second == Drop::kNone ? first : second;
}

Drop Reassembly::ReadBlocks(uint64_t sequence, std::span<uint8_t> blocks, const Moment& moment) noexcept {
  while (!blocks.empty()) {
    const Block block = ReadBlock(blocks);
    if (block.kind == Block::Kind::kPad) return Drop::kNone;
    if (block.kind == Block::Kind::kMalformed) return Drop::kMalformed;
    if (block.kind == Block::Kind::kRunt || block.length > blocks.size()) return Begin(sequence, blocks, moment);
    moment.receiver.Packet(blocks.first(block.length));
    blocks = blocks.subspan(block.length);
  }
  return Drop::kNone;
}

/** What stands before the first block of `place`: it belongs to a packet that started before. */
Drop Reassembly::Continue(Place& place, const Continuation& continuation, const Moment& moment) noexcept {
  const Place* before = Present(place.sequence - 1);
  if (before == nullptr || before->carries == 0) {
    const bool nothingBefore = before != nullptr && before->state == Place::State::kRead;
    if (continuation.blockOffset == 0) return Drop::kNone;
    return nothingBefore ? Drop::kReassemblyFailed : Keep(place, continuation);
  }
  const uint64_t start = before->carries;
  const Drop drop = Append(place, start, continuation, moment);
  return place.carries == start ? Chain(place.sequence, moment) : drop;
}

Drop Reassembly::Keep(Place& place, const Continuation& continuation) noexcept {
  place.orphan = pool_.Take();
  if (!place.orphan) return Drop::kReassemblyFull;
  place.state = Place::State::kOrphan;
  place.blockOffset = continuation.blockOffset;
  place.orphanLength = static_cast<uint32_t>(continuation.octets.size());
  std::memcpy(place.orphan.get(), continuation.octets.data(), continuation.octets.size());
  return Drop::kNone;
}

Drop Reassembly::Begin(uint64_t sequence, std::span<const uint8_t> octets, const Moment& moment) noexcept {
  if (ring_.empty()) {
    ring_.resize(kWindow);
    Enter(sequence);
  }
  Place* place = Present(sequence);
  if (place == nullptr || octets.size() > kMaxPacket) return Drop::kReassemblyFailed;
  place->start = pool_.Take();
  if (!place->start) return Drop::kReassemblyFull;
  const Block block = ReadBlock(octets);
  place->need = block.kind == Block::Kind::kPacket ? static_cast<uint32_t>(block.length) : 0;
  place->have = static_cast<uint32_t>(octets.size());
  place->sinceMs = moment.nowMs;
  place->carries = sequence;
  std::memcpy(place->start.get(), octets.data(), octets.size());
  return Chain(sequence, moment);
}

/** Adds the continuation that came at `place` to its start; delivers the packet when it is complete. */
Drop Reassembly::Append(Place& place, uint64_t startSequence, const Continuation& continuation, const Moment& moment) noexcept {
  Place& start = At(startSequence);
  if (start.sequence != startSequence || !start.start) return Drop::kReassemblyFailed;
  // BlockOffset counts all that is still missing, in this payload or behind it; of a runt it tells the length.
  if (start.need == 0) start.need = start.have + continuation.blockOffset;
  const bool fits = start.need <= kMaxPacket && continuation.blockOffset != 0 && start.need - start.have == continuation.blockOffset;
  if (!fits || moment.nowMs - start.sinceMs > kDropMs) {
    Abandon(start);
    return Drop::kReassemblyFailed;
  }
  std::memcpy(start.start.get() + start.have, continuation.octets.data(), continuation.octets.size());
  start.have += static_cast<uint32_t>(continuation.octets.size());
  if (start.have == start.need) return Complete(start, moment);
  place.carries = startSequence;
  return Drop::kNone;
}

Drop Reassembly::Complete(Place& start, const Moment& moment) noexcept {
  const std::span<uint8_t> packet(start.start.get(), start.need);
  const Block block = ReadBlock(packet);
  const bool whole = block.kind == Block::Kind::kPacket && block.length == packet.size();
  if (whole) moment.receiver.Packet(packet);
  pool_.Retire(std::move(start.start));
  return whole ? Drop::kNone : Drop::kReassemblyFailed;
}

/** Goes on behind `sequence`, whose packet is not complete, with what came before its turn. */
Drop Reassembly::Chain(uint64_t sequence, const Moment& moment) noexcept {
  for (;; sequence += 1) {
    const uint64_t start = At(sequence).carries;
    Place* next = Present(sequence + 1);
    if (start == 0 || next == nullptr) return Drop::kNone;
    if (next->state == Place::State::kRead) {
      // It came and continued nothing: the sender has given this packet up.
      if (next->carries != start && At(start).sequence == start) Abandon(At(start));
      return Drop::kNone;
    }
    if (next->state == Place::State::kAllPad) {
      next->carries = start;
      continue;
    }
    BufferPool::Buffer orphan = std::move(next->orphan);
    next->state = Place::State::kRead;
    const Drop drop = Append(*next, start, {next->blockOffset, {orphan.get(), next->orphanLength}}, moment);
    pool_.GiveBack(std::move(orphan));
    if (drop != Drop::kNone || next->carries != start) return drop;
  }
}

}  // namespace moat::aggfrag
