#include "route_table.h"

#include <algorithm>

namespace moat {
namespace {

unsigned TrailingZeros(uint128 value, unsigned bits) noexcept {
  const auto low = static_cast<uint64_t>(value);
  const auto high = static_cast<uint64_t>(value >> 64);
  const unsigned zeros = low != 0 ? std::countr_zero(low) : 64 + std::countr_zero(high);
  return std::min(zeros, bits);
}

}  // namespace

void RouteTable::Split(const Selector& range, const std::function<void(Key)>& use) {
  const unsigned bits = FamilyBits(range.start.family);
  uint128 start = range.start.value;
  const uint128 end = range.end.value;
  while (start <= end) {
    unsigned host = TrailingZeros(start, bits);
    // The largest aligned block that does not reach beyond the end.
    while (host > 0 && (host == 128 ? ~uint128{0} : (uint128{1} << host) - 1) > end - start) host -= 1;
    use(Key{start, static_cast<uint8_t>(bits - host)});
    if (host == bits) return;
    const uint128 next = start + (uint128{1} << host);
    if (next < start) return;
    start = next;
  }
}

void RouteTable::AddPrefix(Family& family, Key key, uint32_t tunnel) {
  family.tunnels[key].push_back(tunnel);
  family.uses[key.length] += 1;
  if (family.uses[key.length] > 1) return;
  const auto place = std::find_if(family.lengths.begin(), family.lengths.end(), [&](uint8_t other) { return other < key.length; });
  family.lengths.insert(place, key.length);
}

void RouteTable::RemovePrefix(Family& family, Key key, uint32_t tunnel) {
  const auto found = family.tunnels.find(key);
  if (found == family.tunnels.end()) return;
  std::vector<uint32_t>& tunnels = found->second;
  const auto place = std::find(tunnels.begin(), tunnels.end(), tunnel);
  if (place == tunnels.end()) return;
  tunnels.erase(place);
  if (tunnels.empty()) family.tunnels.erase(found);
  family.uses[key.length] -= 1;
  if (family.uses[key.length] == 0) std::erase(family.lengths, key.length);
}

void RouteTable::Add(const Selectors& remote, uint32_t tunnel) {
  for (const Selector& selector : remote) {
    Family& family = families_[selector.start.family == 6];
    Split(selector, [&](Key key) { AddPrefix(family, key, tunnel); });
  }
}

void RouteTable::Remove(const Selectors& remote, uint32_t tunnel) {
  for (const Selector& selector : remote) {
    Family& family = families_[selector.start.family == 6];
    Split(selector, [&](Key key) { RemovePrefix(family, key, tunnel); });
  }
}

}  // namespace moat
