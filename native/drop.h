#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace moat {

/** Why a packet went no further. Every exit of the packet path is one value and one counter. */
enum class Drop : uint8_t {
  kNone,
  kMalformed,
  kNoInboundSa,
  kReplayed,
  kAuthFailed,
  kUnsupportedNextHeader,
  kDummy,
  kSelectorMismatch,
  kCongestionOnNotEct,
  kReassemblyFailed,
  kReassemblyFull,
  kTunWriteFailed,
  kNoOutboundSa,
  kSequenceExhausted,
  kTooBig,
  kNoSocket,
  kSendFailed,
  kQueueFull,
  kCookieDemanded,
  kOverload,
  kCount,
};

inline constexpr size_t kDropCount = static_cast<size_t>(Drop::kCount);

/** The names that `counters().drops` shows, in the order of the enumeration; the first is never shown. */
inline constexpr std::array<const char*, kDropCount> kDropNames{
    "none",
    "malformed",               // no valid ESP, IKE or IP packet
    "noInboundSa",             // the SPI is not ours
    "replayed",                // behind the window, or seen before
    "authFailed",              // the integrity check value is wrong
    "unsupportedNextHeader",   // decrypted, but neither IPv4, IPv6 nor what the SA carries
    "dummy",                   // next header 59: traffic-flow cover, meant to be dropped (RFC 4303 2.6)
    "selectorMismatch",        // decrypted, but not what the SA may carry (RFC 4301 5.2)
    "congestionOnNotEct",      // marked CE outside, but the inner flow cannot be told (RFC 6040 4.2)
    "reassemblyFailed",        // an envelope does not continue what the one before began
    "reassemblyFull",          // too many packets of all tunnels are incomplete
    "tunWriteFailed",          // the kernel refused the packet, or its queue was full
    "noOutboundSa",            // from TUN, but no SA covers it
    "sequenceExhausted",       // the SA has used up its sequence numbers
    "tooBig",                  // mode `ptb`: the sender was told
    "noSocket",                // the SA needs a family or raw ESP that this machine does not give
    "sendFailed",              // the kernel refused the envelope: no route, address gone, too large
    "queueFull",               // the socket's or the event queue's bound was reached
    "cookieDemanded",          // an IKE_SA_INIT of a stranger, answered with a cookie (RFC 7296 2.6)
    "overload",                // packets came faster than they could leave: of the flow that had most of them waiting
};

}  // namespace moat
