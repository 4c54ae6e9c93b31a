#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "bytes.h"
#include "ip.h"

namespace moat::aggfrag {

/*
 * RFC 9347 6.1, sub-type 0, the whole payload of an ESP packet with next header 144:
 *
 *   sub-type = 0 (8) | reserved = 0 (8) | BlockOffset (16) | data blocks ...
 *
 * A data block is an IPv4 or IPv6 packet, whose own header says how long it is, or (first nibble 0) padding to the end. BlockOffset is
 * the number of octets before the first block that starts in this payload; they continue the last block of the payload before.
 */
inline constexpr size_t kHeaderLength = 4, kCongestionHeaderLength = 24;
inline constexpr uint8_t kSubTypeBasic = 0, kSubTypeCongestion = 1;

/** The largest inner packet: IPv6 with a full payload length. */
inline constexpr size_t kMaxPacket = kIpv6HeaderLength + 65535;

/** What a data block announces by its first octets. */
struct Block {
  enum class Kind : uint8_t { kPacket, kPad, kRunt, kMalformed };
  Kind kind;
  /** Of a packet: its octets, of which perhaps not all are here. */
  size_t length = 0;
};

/** `octets` is not empty. A runt is a packet whose length field is not here yet. */
Block ReadBlock(std::span<const uint8_t> octets) noexcept;

/**
 * Fills envelopes with packets.
 *
 * Theory of operation: a packet that fits a fresh envelope is never split: it goes into the open one whole, or starts the next. A packet
 * larger than an envelope starts in what is left of the open one, unless that would make it touch more envelopes than it must; in bulk
 * such packets stand back to back. So a lost envelope costs few packets, and large packets cost little more than their share.
 */
class Packer {
 public:
  bool IsOpen() const noexcept { return payload_ != nullptr; }
  /** The open payload, header included. */
  std::span<uint8_t> Open() const noexcept { return {payload_, used_}; }
  /** Octets that the open payload may grow to. */
  size_t Capacity() const noexcept { return capacity_; }

  /**
   * @param capacity octets of a payload with its header, at least 64.
   * @param take returns a buffer of at least `capacity` octets for a new payload.
   * @param emit gets each payload that is full.
   */
  template <typename Take, typename Emit>
  void Add(std::span<const uint8_t> packet, size_t capacity, Take take, Emit emit) {
    Add(packet, {}, capacity, take, emit);
  }

  /** The same of a packet in two pieces, of which the first is not empty. */
  template <typename Take, typename Emit>
  void Add(std::span<const uint8_t> header, std::span<const uint8_t> body, size_t capacity, Take take, Emit emit) {
    size_t left = header.size() + body.size();
    if (IsOpen() && !MayStartHere(left)) Finish(emit);
    bool first = true;
    for (std::span<const uint8_t> piece : {header, body}) {
      while (!piece.empty()) {
        if (!IsOpen()) Begin(take(), capacity, first ? 0 : left);
        first = false;
        const size_t part = std::min(piece.size(), capacity_ - used_);
        std::memcpy(payload_ + used_, piece.data(), part);
        used_ += part;
        left -= part;
        piece = piece.subspan(part);
        if (capacity_ - used_ < kIpv4HeaderLength && (left == 0 || used_ == capacity_)) Finish(emit);
      }
    }
  }

  /**
   * Room for a packet of `length` octets that goes into one payload whole and follows what is there; null when it must be split, or be given to
   * `Add`. The caller writes the packet there and then calls `Written`.
   */
  template <typename Take, typename Emit>
  uint8_t* Room(size_t length, size_t capacity, Take take, Emit emit) {
    if (IsOpen() && !MayStartHere(length)) Finish(emit);
    if (!IsOpen() && length > capacity - kHeaderLength) return nullptr;
    if (!IsOpen()) Begin(take(), capacity, 0);
    if (length > capacity_ - used_) return nullptr;
    used_ += length;
    return payload_ + used_ - length;
  }

  template <typename Emit>
  void Written(Emit emit) {
    if (capacity_ - used_ < kIpv4HeaderLength) Finish(emit);
  }

  /** Emits what is open. */
  template <typename Emit>
  void Finish(Emit emit) {
    if (!IsOpen()) return;
    const std::span<uint8_t> payload = Open();
    payload_ = nullptr;
    emit(payload);
  }

  /** Goes on in another buffer, into which the open payload has been copied. */
  void MoveTo(uint8_t* buffer) noexcept { payload_ = buffer; }

 private:
  void Begin(uint8_t* buffer, size_t capacity, size_t blockOffset) noexcept {
    payload_ = buffer;
    capacity_ = capacity;
    used_ = kHeaderLength;
    StoreBe16(payload_, 0);
    StoreBe16(payload_ + 2, static_cast<uint16_t>(blockOffset));
  }

  bool MayStartHere(size_t length) const noexcept {
    const size_t left = capacity_ - used_, whole = capacity_ - kHeaderLength;
    if (length <= left) return true;
    if (length <= whole) return false;
    const size_t fewest = (length + whole - 1) / whole;
    return length - std::min(length, left) <= (fewest - 1) * whole;
  }

  uint8_t* payload_ = nullptr;
  size_t used_ = 0;
  size_t capacity_ = 0;
};

}  // namespace moat::aggfrag
