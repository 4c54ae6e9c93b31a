#include "channel.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

namespace impair {
namespace {

/// More than any sensible delay times rate needs; a wrong setting must not eat the machine.
constexpr size_t kMaxWaitingOctets = 256u << 20;
/// A held packet whose successors never come is let go, or the last packet of a flow would be lost.
constexpr int64_t kMaxHold = 100'000'000;

}  // namespace

const std::array<const char*, static_cast<size_t>(Count::kSize)> kCountNames = {
    "packetsIn", "octetsIn",    "packetsOut", "octetsOut",   "lost",       "blocked",    "icmpEaten", "fragmentEaten", "tooBig",
    "queueFull", "malformed",   "writeFailed", "fragmented", "tooBigSent", "duplicated", "reordered", "corrupted",
};

void Channel::Configure(Settings settings, uint64_t seed) {
  settings_ = std::move(settings);
  if (seed != 0) random_ = Random(seed);
  bad_state_ = false;
  busy_until_ = 0;
}

void Channel::Receive(std::span<const uint8_t> packet, int64_t now) {
  Add(Count::kPacketsIn);
  Add(Count::kOctetsIn, packet.size());
  const auto view = ParseIp(packet);
  if (!view) return Add(Count::kMalformed);
  if (Blocked(*view)) return;
  if (settings_.mtu != 0 && packet.size() > settings_.mtu) return CutToMtu(packet, *view, now);
  Impair(Bytes(packet.begin(), packet.end()), now);
}

bool Channel::Blocked(const IpView& view) {
  if (settings_.eat_icmp && (view.protocol == IPPROTO_ICMP || view.protocol == IPPROTO_ICMPV6)) {
    Add(Count::kIcmpEaten);
    return true;
  }
  if (settings_.eat_fragments && view.fragment) {
    Add(Count::kFragmentEaten);
    return true;
  }
  for (const Block& block : settings_.blocks) {
    if (block.protocol != view.protocol) continue;
    if (block.port != 0 && block.port != view.source_port && block.port != view.destination_port) continue;
    Add(Count::kBlocked);
    return true;
  }
  return false;
}

void Channel::CutToMtu(std::span<const uint8_t> packet, const IpView& view, int64_t now) {
  if (view.version == 4 && view.may_fragment) {
    if (settings_.eat_fragments) return Add(Count::kFragmentEaten);
    Add(Count::kFragmented);
    for (Bytes& piece : Fragment(packet, settings_.mtu)) Impair(std::move(piece), now);
    return;
  }
  Add(Count::kTooBig);
  if (settings_.eat_icmp || !MayCauseError(packet, view)) return;
  Add(Count::kTooBigSent);
  // Straight back to the sender: it left this router, the impairments of the way here do not apply to it.
  Schedule(TooBig(packet, view, settings_.mtu), now);
}

void Channel::Impair(Bytes packet, int64_t now) {
  if (Loses()) return Add(Count::kLost);
  const int64_t departed = Depart(packet.size(), now);
  if (departed < 0 || waiting_octets_ > kMaxWaitingOctets) return Add(Count::kQueueFull);
  if (random_.Chance(settings_.corrupt)) {
    Add(Count::kCorrupted);
    const size_t header = packet[0] >> 4 == 4 ? 20 : 40;
    const uint64_t bit = random_.Next() % ((packet.size() - header) * 8 + 1);
    if (header + bit / 8 < packet.size()) packet[header + bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
  }
  const double spread = settings_.jitter == 0 ? 0 : (random_.Share() * 2 - 1) * static_cast<double>(settings_.jitter);
  const int64_t due = std::max(departed + settings_.delay + static_cast<int64_t>(spread), departed);
  if (random_.Chance(settings_.reorder)) {
    Add(Count::kReordered);
    if (settings_.reorder_packets == 0) return Schedule(std::move(packet), due + settings_.reorder_delay);
    held_.push_back({std::move(packet), settings_.reorder_packets, due + kMaxHold});
    // In the queue as a mere alarm: an empty packet that only makes the loop look again.
    return Schedule({}, due + kMaxHold);
  }
  last_due_ = std::max(last_due_, due);
  if (random_.Chance(settings_.duplicate)) {
    Add(Count::kDuplicated);
    Schedule(packet, last_due_);
  }
  Schedule(std::move(packet), last_due_);
  ReleaseHeld(last_due_, now);
}

bool Channel::Loses() {
  if (settings_.burst <= 1) return random_.Chance(settings_.loss);
  const double leave = 1 / settings_.burst;
  const double enter = settings_.loss >= 1 ? 1 : settings_.loss * leave / (1 - settings_.loss);
  bad_state_ = bad_state_ ? !random_.Chance(leave) : random_.Chance(enter);
  return bad_state_;
}

int64_t Channel::Depart(size_t octets, int64_t now) {
  if (settings_.rate <= 0) return now;
  const int64_t start = std::max(now, busy_until_);
  if (start - now > settings_.queue) return -1;
  busy_until_ = start + static_cast<int64_t>(static_cast<double>(octets) * 8e9 / settings_.rate);
  return busy_until_;
}

void Channel::Schedule(Bytes packet, int64_t due) {
  waiting_octets_ += packet.size();
  waiting_.push({due, order_++, std::move(packet)});
}

void Channel::ReleaseHeld(int64_t due, int64_t now) {
  for (Held& held : held_) {
    held.after -= held.after > 0 ? 1 : 0;
    if (held.after == 0 || held.latest <= now) Schedule(std::move(held.packet), due);
  }
  std::erase_if(held_, [](const Held& held) { return held.packet.empty(); });
}

Bytes Channel::Take() {
  const int64_t due = waiting_.top().due;
  Bytes packet = std::move(waiting_.top().packet);
  waiting_.pop();
  waiting_octets_ -= packet.size();
  if (!packet.empty()) return packet;
  const auto late = std::find_if(held_.begin(), held_.end(), [due](const Held& held) { return held.latest <= due; });
  if (late == held_.end()) return {};
  packet = std::move(late->packet);
  held_.erase(late);
  return packet;
}

void Channel::Sent(size_t octets, bool ok) {
  if (!ok) return Add(Count::kWriteFailed);
  Add(Count::kPacketsOut);
  Add(Count::kOctetsOut, octets);
}

}  // namespace impair
