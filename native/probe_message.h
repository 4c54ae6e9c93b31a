#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "aggfrag.h"
#include "bytes.h"

namespace moat {

/**
 * Path probes and their acknowledgements between two moats that agreed on them. Both are AGGFRAG payloads of nothing but padding (RFC 9347
 * 6.1.3.3), which any other receiver skips; the first octets of the padding say what they are:
 *
 *   00 00 0000 | 00 | 'm' 'o' 'a' 't' | kind (8) | id (32) | searches (32) | zeros to the wanted size
 *
 * `searches`: how many probes of searches this SA has sent, this one included. Most are too large for the path, and the receiver would
 * take the sequence numbers that never come for loss.
 */
struct ProbeMessage {
  enum class Kind : uint8_t { kSearch = 1, kAcknowledgement = 2, kVerify = 3 };

  static constexpr size_t kLength = 14;
  static constexpr uint8_t kMagic[5] = {0, 'm', 'o', 'a', 't'};

  Kind kind;
  uint32_t id;
  uint32_t searches;
};

/** Fills `payload`, of at least aggfrag::kHeaderLength + ProbeMessage::kLength octets, whole. */
inline void WriteProbeMessage(std::span<uint8_t> payload, const ProbeMessage& message) noexcept {
  std::memset(payload.data(), 0, payload.size());
  uint8_t* at = payload.data() + aggfrag::kHeaderLength;
  std::memcpy(at, ProbeMessage::kMagic, sizeof ProbeMessage::kMagic);
  at[5] = static_cast<uint8_t>(message.kind);
  StoreBe32(at + 6, message.id);
  StoreBe32(at + 10, message.searches);
}

/** False when `pad`, what stands behind the header of an all-pad payload, is only padding. */
inline bool ReadProbeMessage(std::span<const uint8_t> pad, ProbeMessage& message) noexcept {
  if (pad.size() < ProbeMessage::kLength) return false;
  if (std::memcmp(pad.data(), ProbeMessage::kMagic, sizeof ProbeMessage::kMagic) != 0) return false;
  const uint8_t kind = pad[5];
  if (kind < 1 || kind > 3) return false;
  message = {static_cast<ProbeMessage::Kind>(kind), LoadBe32(&pad[6]), LoadBe32(&pad[10])};
  return true;
}

}  // namespace moat
