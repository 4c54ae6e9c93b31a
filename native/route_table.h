#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "selector.h"

namespace moat {

/**
 * Which tunnels may carry a packet to an address: those whose remote selectors contain it, the narrowest prefix first.
 *
 * Theory of operation: a selector's range is cut into the prefixes that make it up (one, when it is a network; at most 2 x the
 * address bits), and each prefix is a key of a hash table. A look-up asks once per prefix length in use, longest first, so its
 * cost depends on how many different lengths there are and not on how many tunnels.
 */
class RouteTable {
 public:
  void Add(const Selectors& remote, uint32_t tunnel);
  void Remove(const Selectors& remote, uint32_t tunnel);

  /** Calls `accept(tunnel)` for the candidates until one returns true; whether one did. */
  template <typename Accept>
  bool Find(const Address& destination, Accept accept) const {
    const Family& family = families_[destination.family == 6];
    for (const uint8_t length : family.lengths) {
      const auto found = family.tunnels.find(Key{Mask(destination.value, length, destination.family), length});
      if (found == family.tunnels.end()) continue;
      for (const uint32_t tunnel : found->second) {
        if (accept(tunnel)) return true;
      }
    }
    return false;
  }

 private:
  struct Key {
    uint128 prefix;
    uint8_t length;
    bool operator==(const Key&) const noexcept = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const noexcept {
      uint64_t mixed = static_cast<uint64_t>(key.prefix >> 64) * 0x9e3779b97f4a7c15u ^ static_cast<uint64_t>(key.prefix);
      mixed = (mixed ^ key.length) * 0xbf58476d1ce4e5b9u;
      return mixed ^ mixed >> 29;
    }
  };
  struct Family {
    /** Lengths in use, longest first. */
    std::vector<uint8_t> lengths;
    std::array<uint32_t, 129> uses{};
    std::unordered_map<Key, std::vector<uint32_t>, Hash> tunnels;
  };

  static uint128 Mask(uint128 value, unsigned length, uint8_t family) noexcept {
    const unsigned host = FamilyBits(family) - length;
    return host == 128 ? 0 : value >> host << host;
  }

  void AddPrefix(Family& family, Key key, uint32_t tunnel);
  void RemovePrefix(Family& family, Key key, uint32_t tunnel);
  /** Calls `use(prefix, length)` for each prefix of the range. */
  static void Split(const Selector& range, const std::function<void(Key)>& use);

  std::array<Family, 2> families_;
};

}  // namespace moat
