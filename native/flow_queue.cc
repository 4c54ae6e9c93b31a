#include "flow_queue.h"

#include <algorithm>

#include "ecn.h"

namespace moat {

FlowQueue::FlowQueue(Counters& counters, uint64_t seed)
    : counters_(counters), seed_(seed), memory_(kBlocks * kBlockLength), packets_(kMostPackets) {
  free_.reserve(kMostPackets);
  for (uint32_t i = kMostPackets; i > 0; i -= 1) free_.push_back(i - 1);
}

/** Fragments of one packet stay together: only the first has ports. */
uint32_t FlowQueue::FlowOf(const IpView& view) const noexcept {
  const auto mix = [](uint64_t value) {
    value = (value ^ value >> 32) * 0xd6e8feb86659fd93u;
    return value ^ value >> 32;
  };
  const auto half = [](const Address& address) { return static_cast<uint64_t>(address.value >> 64) * 31 + static_cast<uint64_t>(address.value); };
  uint64_t hash = mix(seed_ ^ half(view.source));
  hash = mix(hash ^ half(view.destination));
  const uint64_t ports = view.fragment ? 0 : uint64_t{view.sourcePort} << 16 | view.destinationPort;
  return mix(hash ^ (uint64_t{view.protocol} << 32 | ports)) % kFlows;
}

std::span<uint8_t> FlowQueue::Room() noexcept {
  if (free_.empty()) DropFromLongest();
  Block& current = blocks_[filling_];
  if (current.packets == 0) current.used = 0;
  if (kBlockLength - current.used < kLongest) {
    // The first that is free, so that a short queue stays in the same memory.
    const auto found = std::find_if(blocks_.begin(), blocks_.end(), [](const Block& one) { return one.packets == 0; });
    if (found == blocks_.end() || free_.empty()) return {};
    filling_ = static_cast<uint32_t>(found - blocks_.begin());
    found->used = 0;
  }
  return {At(filling_) + blocks_[filling_].used, kLongest};
}

void FlowQueue::Append(List& list, uint32_t flow) noexcept {
  flows_[flow].nextFlow = kNone;
  (list.head == kNone ? list.head : flows_[list.tail].nextFlow) = flow;
  list.tail = flow;
}

uint32_t FlowQueue::TakeFirst(List& list) noexcept {
  const uint32_t first = list.head;
  list.head = flows_[first].nextFlow;
  return first;
}

void FlowQueue::Add(std::span<uint8_t> octets, const IpView& view, const OffloadHeader& offload, uint64_t nowUs) noexcept {
  const uint32_t index = free_.back();
  free_.pop_back();
  packets_[index] = {octets, view, offload, nowUs, filling_, kNone};
  blocks_[filling_].packets += 1;
  // What is read next begins at a cache line.
  blocks_[filling_].used += (octets.size() + 63) / 64 * 64;
  const uint32_t flowIndex = FlowOf(view);
  Flow& flow = flows_[flowIndex];
  (flow.head == kNone ? flow.head : packets_[flow.tail].next) = index;
  flow.tail = index;
  flow.octets += octets.size();
  octets_ += octets.size();
  waiting_ += 1;
  if (!flow.listed) {
    flow.listed = true;
    flow.deficit = kQuantum;
    Append(new_, flowIndex);
  }
  while (octets_ > kMostOctets) DropFromLongest();
}

uint32_t FlowQueue::Pop(Flow& flow) noexcept {
  const uint32_t index = flow.head;
  if (index == kNone) return kNone;
  const Packet& packet = packets_[index];
  flow.head = packet.next;
  flow.octets -= packet.octets.size();
  octets_ -= packet.octets.size();
  waiting_ -= 1;
  return index;
}

void FlowQueue::Free(uint32_t packet) noexcept {
  blocks_[packets_[packet].block].packets -= 1;
  free_.push_back(packet);
}

void FlowQueue::Lose(uint32_t packet) noexcept {
  counters_.Count(Drop::kOverload);
  Free(packet);
}

/** From the front, so that the sender hears of it soonest; not more than one turn of the flow at once. */
void FlowQueue::DropFromLongest() noexcept {
  Flow& longest = *std::max_element(flows_.begin(), flows_.end(), [](const Flow& a, const Flow& b) { return a.octets < b.octets; });
  const size_t before = longest.octets;
  for (size_t i = 0; i < kDropBatch && before - longest.octets < size_t{kQuantum}; i += 1) Lose(Pop(longest));
}

/** The flow's next packet that CoDel lets pass; kNone: the flow has none. */
uint32_t FlowQueue::Dequeue(Flow& flow, uint64_t nowUs) noexcept {
  for (uint32_t index = Pop(flow); index != kNone; index = Pop(flow)) {
    Packet& packet = packets_[index];
    const uint64_t waitedUs = nowUs > packet.arrivedUs ? nowUs - packet.arrivedUs : 0;
    if (!flow.codel.TakesOut(waitedUs, flow.head == kNone, nowUs)) return index;
    if (packet.view.ecn == ecn::kNotEct) {
      Lose(index);
      continue;
    }
    // RFC 3168 5: who understands the mark need not lose the packet.
    ecn::Write(packet.octets, ecn::kCongestionExperienced);
    packet.view.ecn = ecn::kCongestionExperienced;
    return index;
  }
  return kNone;
}

FlowQueue::Packet* FlowQueue::Next(uint64_t nowUs) noexcept {
  if (current_ != kNone) Free(current_);
  current_ = kNone;
  while (new_.head != kNone || old_.head != kNone) {
    const bool fresh = new_.head != kNone;
    const uint32_t flowIndex = TakeFirst(fresh ? new_ : old_);
    Flow& flow = flows_[flowIndex];
    if (flow.deficit <= 0) {
      flow.deficit += kQuantum;
      Append(old_, flowIndex);
      continue;
    }
    current_ = Dequeue(flow, nowUs);
    if (current_ == kNone) {
      // RFC 8290 4.2: a flow that was new waits one turn of the others before it may be new again.
      flow.listed = fresh && old_.head != kNone;
      if (flow.listed) Append(old_, flowIndex);
      continue;
    }
    flow.deficit -= static_cast<int32_t>(packets_[current_].octets.size());
    // It stays first until its turn is used up.
    List& list = fresh ? new_ : old_;
    flow.nextFlow = list.head;
    if (list.head == kNone) list.tail = flowIndex;
    list.head = flowIndex;
    return &packets_[current_];
  }
  return nullptr;
}

}  // namespace moat
