#include "convert.h"
#include "mss.h"

/* Counters and statistics for JavaScript. */
namespace moat {
namespace {

double Count(const std::atomic<uint64_t>& counter) { return static_cast<double>(counter.load(std::memory_order_relaxed)); }

/** Milliseconds since a moment of the monotonic clock; null for the moment 0. */
Napi::Value Ago(Napi::Env env, uint64_t momentMs, uint64_t nowMs) {
  if (momentMs == 0) return env.Null();
  return Napi::Number::New(env, static_cast<double>(nowMs > momentMs ? nowMs - momentMs : 0));
}

Napi::Object FromTotals(Napi::Env env, const auto& totals) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("packets", Count(totals.packets));
  to.Set("octets", Count(totals.octets));
  return to;
}

Napi::Value FromClamp(Napi::Env env, uint32_t clampTo) {
  if (clampTo == 0) return env.Null();
  Napi::Object to = Napi::Object::New(env);
  to.Set("ipv4", MssFor(clampTo, 4));
  to.Set("ipv6", MssFor(clampTo, 6));
  return to;
}

Napi::Value FromOutbound(Napi::Env env, const TunnelState& tunnel, uint64_t nowMs) {
  const uint32_t pathMtu = tunnel.outerLimit.load(std::memory_order_relaxed);
  if (pathMtu == 0) return env.Null();
  Napi::Object to = Napi::Object::New(env);
  to.Set("mode", tunnel.aggfrag.load(std::memory_order_relaxed) ? "aggfrag" : "tunnel");
  to.Set("pathMtu", pathMtu);
  to.Set("pathMtuSource", tunnel.probed.load(std::memory_order_relaxed) ? "probed" : "assumed");
  to.Set("foundAgoMs", Ago(env, tunnel.foundMs.load(std::memory_order_relaxed), nowMs));
  to.Set("searching", tunnel.searching.load(std::memory_order_relaxed));
  to.Set("blackHoles", Count(tunnel.blackHoles));
  to.Set("envelopePayload", tunnel.envelopePayload.load(std::memory_order_relaxed));
  to.Set("clampMss", FromClamp(env, tunnel.clampTo.load(std::memory_order_relaxed)));
  return to;
}

}  // namespace

Napi::Object FromCounters(Napi::Env env, const Counters& received, const Counters& sent) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("received", FromTotals(env, received));
  to.Set("sent", FromTotals(env, sent));
  Napi::Object drops = Napi::Object::New(env);
  for (size_t i = 1; i < kDropCount; i += 1) drops.Set(kDropNames[i], Count(received.drops[i]) + Count(sent.drops[i]));
  to.Set("drops", drops);
  return to;
}

Napi::Object FromRecord(Napi::Env env, const SaRecord& record, uint64_t nowMs) {
  const bool outbound = record.direction == SaDirection::kOutbound;
  const uint64_t last = record.lastPacketMs.load(std::memory_order_relaxed);
  Napi::Object to = Napi::Object::New(env);
  to.Set("direction", outbound ? "outbound" : "inbound");
  to.Set("tunnel", record.tunnel);
  to.Set("spi", record.spi);
  to.Set("active", record.active.load(std::memory_order_relaxed));
  to.Set("packets", Count(record.packets));
  to.Set("octets", Count(record.octets));
  to.Set("sequence", Count(record.sequence));
  to.Set("lost", Count(record.lost));
  to.Set("mode", record.aggfrag ? "aggfrag" : "tunnel");
  to.Set("envelopes", Count(record.envelopes));
  to.Set("incomplete", Count(record.incomplete));
  to.Set("idleMs", Ago(env, last, nowMs));
  to.Set("path", outbound ? FromPath(env, record.GetPath()) : env.Null());
  return to;
}

Napi::Object FromTunnel(Napi::Env env, const TunnelState& tunnel, uint64_t nowMs) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("tunnel", tunnel.id);
  to.Set("received", FromTotals(env, tunnel.received));
  to.Set("sent", FromTotals(env, tunnel.sent));
  to.Set("lost", Napi::Number::New(env, static_cast<double>(tunnel.LostByPath())));
  to.Set("receivedAgoMs", Ago(env, tunnel.lastReceivedMs.load(std::memory_order_relaxed), nowMs));
  to.Set("outbound", FromOutbound(env, tunnel, nowMs));
  return to;
}

}  // namespace moat
