#include "selector.h"

namespace moat {
namespace {

bool CoversPort(const Selector& selector, const IpView& view, uint16_t port) noexcept {
  if (selector.startPort == 0 && selector.endPort == 65535) return true;
  if (selector.startPort > selector.endPort) return !view.hasPorts;
  return view.hasPorts && port >= selector.startPort && port <= selector.endPort;
}

bool CoversOne(const Selector& selector, const IpView& view, PacketEnd end) noexcept {
  if (end.address.family != selector.start.family) return false;
  if (end.address.value < selector.start.value || end.address.value > selector.end.value) return false;
  if (selector.protocol != 0 && selector.protocol != view.protocol) return false;
  return CoversPort(selector, view, end.port);
}

}  // namespace

bool Covers(std::span<const Selector> selectors, const IpView& view, PacketEnd end) noexcept {
  for (const Selector& selector : selectors) {
    if (CoversOne(selector, view, end)) return true;
  }
  return false;
}

}  // namespace moat
