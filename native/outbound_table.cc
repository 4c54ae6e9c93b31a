#include "outbound_table.h"

#include <algorithm>

namespace moat {
namespace {

OutboundSa* FindSpi(const std::vector<std::unique_ptr<OutboundSa>>& sas, uint32_t spi) {
  for (const auto& sa : sas) {
    if (sa->sealer.spi == spi) return sa.get();
  }
  return nullptr;
}

}  // namespace

void OutboundTable::MakeActive(Tunnel& tunnel, OutboundSa* sa) {
  OutboundSa* before = tunnel.active;
  if (before == sa) return;
  tunnel.active = sa;
  last_ = nullptr;
  if (sa != nullptr) sa->record->active = true;
  if (sa != nullptr) StopWaiting(tunnel, *sa);
  if (before != nullptr) before->record->active = false;
  if (before != nullptr && sa != nullptr && before->remote == sa->remote) return;
  if (before != nullptr) routes_.Remove(before->remote, before->tunnel);
  if (sa != nullptr) routes_.Add(sa->remote, sa->tunnel);
}

void OutboundTable::StopWaiting(const Tunnel& tunnel, const OutboundSa& sa) {
  for (const auto& older : tunnel.sas) {
    if (older.get() == &sa) return;
    std::erase_if(waiting_, [&](const Waiting& one) { return one.tunnel == sa.tunnel && one.spi == older->sealer.spi; });
  }
}

void OutboundTable::Install(std::unique_ptr<OutboundSa> sa) {
  Tunnel& tunnel = tunnels_[sa->tunnel];
  if (FindSpi(tunnel.sas, sa->sealer.spi) != nullptr) return;
  OutboundSa* installed = sa.get();
  tunnel.sas.push_back(std::move(sa));
  if (!installed->afterInbound || (installed->awaited && installed->awaited->authenticated)) {
    MakeActive(tunnel, installed);
    return;
  }
  waiting_.push_back({*installed->afterInbound, installed->tunnel, installed->sealer.spi});
}

void OutboundTable::Activate(uint32_t tunnel, uint32_t spi) {
  std::erase_if(waiting_, [&](const Waiting& one) { return one.tunnel == tunnel && one.spi == spi; });
  const auto found = tunnels_.find(tunnel);
  if (found == tunnels_.end()) return;
  OutboundSa* sa = FindSpi(found->second.sas, spi);
  if (sa != nullptr) MakeActive(found->second, sa);
}

uint32_t OutboundTable::InboundSeen(uint32_t inboundSpi) {
  const auto one = std::find_if(waiting_.begin(), waiting_.end(), [&](const Waiting& w) { return w.inboundSpi == inboundSpi; });
  if (one == waiting_.end()) return 0;
  const Waiting found = *one;
  Activate(found.tunnel, found.spi);
  return found.tunnel;
}

OutboundSa* OutboundTable::Active(uint32_t tunnel) const noexcept {
  const auto found = tunnels_.find(tunnel);
  return found == tunnels_.end() ? nullptr : found->second.active;
}

void OutboundTable::Remove(uint32_t tunnel, uint32_t spi) {
  std::erase_if(waiting_, [&](const Waiting& one) { return one.tunnel == tunnel && one.spi == spi; });
  const auto found = tunnels_.find(tunnel);
  if (found == tunnels_.end()) return;
  OutboundSa* sa = FindSpi(found->second.sas, spi);
  if (sa != nullptr && sa == found->second.active) MakeActive(found->second, nullptr);
  std::erase_if(found->second.sas, [&](const auto& one) { return one->sealer.spi == spi; });
  if (found->second.sas.empty()) tunnels_.erase(found);
}

OutboundSa* OutboundTable::Find(const IpView& view) noexcept {
  const Flow flow(view);
  if (last_ != nullptr && flow == lastFlow_) return last_;
  last_ = LookUp(view);
  lastFlow_ = flow;
  return last_;
}

OutboundSa* OutboundTable::LookUp(const IpView& view) const noexcept {
  OutboundSa* chosen = nullptr;
  routes_.Find(view.destination, [&](uint32_t id) {
    OutboundSa* sa = tunnels_.find(id)->second.active;
    if (!CoversOutbound(sa->local, sa->remote, view)) return false;
    chosen = sa;
    return true;
  });
  return chosen;
}

void OutboundTable::MovePath(uint32_t tunnel, const Path& path) {
  const auto found = tunnels_.find(tunnel);
  if (found == tunnels_.end()) return;
  for (const auto& sa : found->second.sas) sa->MoveTo(path);
}

bool OutboundTable::PeerMoved(uint32_t tunnel, const Path& path) {
  const OutboundSa* active = Active(tunnel);
  if (active == nullptr || !active->followPeer || active->path == path) return false;
  MovePath(tunnel, path);
  return true;
}

}  // namespace moat
