// Many datagrams for one system call each way (recvmmsg, sendmmsg), in memory that the caller gives. No N-API.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace moat::lan {

// Slots of a batch, and octets of each slot; index.ts has the same numbers.
inline constexpr size_t kBatchSlots = 64;
inline constexpr size_t kQuestionOctets = 2048;
inline constexpr size_t kAnswerOctets = 1280;
inline constexpr size_t kSourceOctets = 32;
static_assert(sizeof(sockaddr_in6) <= kSourceOctets);

// Slot i of each part belongs to datagram i.
struct BatchMemory {
  std::span<uint8_t> questions;
  std::span<uint8_t> answers;
  std::span<uint8_t> sources;  // sockaddr_in or sockaddr_in6
  std::span<int32_t> question_lengths;
  std::span<int32_t> answer_lengths;

  // Whether every part holds kBatchSlots slots.
  bool Fits() const;
};

class DatagramBatch {
 public:
  explicit DatagramBatch(const BatchMemory& memory);
  DatagramBatch(const DatagramBatch&) = delete;
  DatagramBatch& operator=(const DatagramBatch&) = delete;

  // Fills slots with what has arrived and sets their answers to nothing. A datagram longer than its slot gets length 0.
  // Returns the number of slots filled.
  size_t Receive(int fd);

  // Sends the answers of the first `count` slots that have one (length > 0) back to their sources. What the kernel does
  // not take is lost, as datagrams are.
  void Send(int fd, size_t count);

 private:
  BatchMemory memory_;
  std::array<mmsghdr, kBatchSlots> received_{};
  std::array<iovec, kBatchSlots> questions_{};
  std::array<mmsghdr, kBatchSlots> sent_{};
  std::array<iovec, kBatchSlots> answers_{};
};

// Sends one datagram to `source` as a batch has it. False when the kernel did not take it.
bool SendTo(int fd, std::span<const uint8_t> octets, std::span<const uint8_t> source);

}  // namespace moat::lan
