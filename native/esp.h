#pragma once

#include <memory>
#include <span>

#include "aead.h"
#include "bytes.h"
#include "drop.h"
#include "replay_window.h"

namespace moat::esp {

/*
 * RFC 4303 2 with RFC 4106 or RFC 7634:
 *
 *   SPI (32) | sequence number, low half (32) | IV (64) | payload | padding 1,2,3,... | pad length (8) | next header (8) | ICV (128)
 *                                                       |<------------------------- encrypted ---------------------->|
 *
 * The IV is the 64-bit sequence number: unique under one key, and nothing to keep besides.
 */
inline constexpr size_t kHeaderLength = 8;
/** Octets that must be free in front of a payload that is sealed in place. */
inline constexpr size_t kHeadroom = kHeaderLength + kIvLength;
/** At most this many octets follow the payload: padding to four, pad length, next header, ICV. */
inline constexpr size_t kMaxTrailer = 3 + 2 + kIcvLength;
/** The smallest datagram that can be ESP: no payload, but aligned. */
inline constexpr size_t kMinLength = kHeadroom + 4 + kIcvLength;

/** Octets of the whole ESP packet around a payload. */
constexpr size_t SealedLength(size_t payload) noexcept { return kHeadroom + (payload + 2 + 3) / 4 * 4 + kIcvLength; }

/** The largest payload whose ESP packet is at most `sealed` octets; 0 when none is. */
constexpr size_t PayloadThatFits(size_t sealed) noexcept {
  return sealed < kMinLength ? 0 : (sealed - kHeadroom - kIcvLength) / 4 * 4 - 2;
}

/** The sending half of an SA's cryptographic state. */
struct Sealer {
  uint32_t spi = 0;
  bool esn = false;
  std::unique_ptr<Aead> aead;
  /** The last sequence number used; the first on the wire is 1. */
  uint64_t sequence = 0;
};

/**
 * Makes the ESP packet around `payload`, which has kHeadroom octets before and kMaxTrailer octets after it.
 * The packet starts at `payload.data() - kHeadroom` and has SealedLength(payload.size()) octets.
 * @returns kSequenceExhausted when the SA may send no more (RFC 4303 3.3.3).
 */
Drop Seal(Sealer& sealer, std::span<uint8_t> payload, uint8_t nextHeader) noexcept;

/** The receiving half. */
struct Opener {
  Opener(uint32_t spiIn, bool esnIn, size_t windowSize) : spi(spiIn), esn(esnIn), window(windowSize) {}

  uint32_t spi;
  bool esn;
  std::unique_ptr<Aead> aead;
  ReplayWindow window;
};

struct Opened {
  std::span<uint8_t> payload;
  uint64_t sequence = 0;
  uint8_t nextHeader = 0;
  /** Higher than every sequence number before it. */
  bool newest = false;
};

/** The SPI of what may be an ESP packet; the caller has checked kMinLength. */
inline uint32_t SpiOf(std::span<const uint8_t> packet) noexcept { return LoadBe32(packet.data()); }

/**
 * Decrypts `packet` in place and accepts its sequence number.
 * @returns kMalformed, kReplayed or kAuthFailed; then `packet` is worthless and, but for bad padding, the SA unchanged.
 */
Drop Open(Opener& opener, std::span<uint8_t> packet, Opened& opened) noexcept;

}  // namespace moat::esp
