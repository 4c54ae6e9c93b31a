#pragma once

#include <sys/uio.h>

#include <array>
#include <span>

#include "ip.h"
#include "offload.h"

namespace moat {

/** Where packets go that are written to TUN. */
class PacketWriter {
 public:
  virtual ~PacketWriter() = default;
  /** Writes the pieces as one packet. @param count of packets that it stands for. */
  virtual void Write(std::span<const iovec> pieces, const OffloadHeader& offload, size_t count) noexcept = 0;
};

/**
 * Joins packets of TCP, and of UDP, that follow each other into super-packets, which the kernel takes in one step (generic receive offload).
 *
 * Theory of operation: it joins only what can be cut again into the very same packets, as the kernel does: one flow; equal headers but for
 * length, checksum and what counts up; no IP options; all of one length but the last. Of TCP: DF set, only ACK and PSH among the flags,
 * sequence numbers that touch. Of UDP: with a checksum, and with DF or with IPv4 identifications that count up by one. Checksums are verified
 * first, since of a super-packet nobody does. What cannot be joined pushes out what is held of its flow, so that the order within a
 * flow stays. Nothing is copied: packets must stay where they are until `Flush`.
 */
class Coalescer {
 public:
  /** @param joinUdp the writer takes UDP super-packets. */
  Coalescer(PacketWriter& writer, bool joinUdp) : writer_(writer), joinUdp_(joinUdp) {}

  void Add(std::span<uint8_t> packet, const IpView& view) noexcept;
  /** Writes what is held; to be called at the end of each batch. */
  void Flush() noexcept;

 private:
  static constexpr size_t kFlows = 8, kPackets = 64;

  struct Flow {
    IpView view;
    std::span<uint8_t> first;
    size_t headerLength = 0;
    size_t segmentLength = 0;
    size_t length = 0;
    uint32_t nextSequence = 0;
    size_t count = 0;
    std::array<iovec, kPackets> pieces;
  };

  Flow* Find(const IpView& view) noexcept;
  size_t JoinableHeader(std::span<const uint8_t> packet, const IpView& view) const noexcept;
  void Start(std::span<uint8_t> packet, const IpView& view, size_t headerLength) noexcept;
  void Append(Flow& flow, std::span<uint8_t> packet) noexcept;
  void PushOut(Flow& flow) noexcept;
  static OffloadHeader FinishHeaders(Flow& flow) noexcept;
  void WriteOne(std::span<uint8_t> packet) noexcept;
  static bool Follows(const Flow& flow, std::span<const uint8_t> packet, size_t headerLength) noexcept;

  PacketWriter& writer_;
  const bool joinUdp_;
  std::array<Flow, kFlows> flows_;
  size_t nextFlow_ = 0;
};

}  // namespace moat
