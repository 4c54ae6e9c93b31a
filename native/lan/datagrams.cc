#include "datagrams.h"

#include <string.h>

#include <algorithm>

namespace moat::lan {
namespace {

socklen_t LengthOf(const uint8_t* source) {
  sa_family_t family;
  memcpy(&family, source, sizeof family);
  return family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

}  // namespace

bool BatchMemory::Fits() const {
  return questions.size() >= kBatchSlots * kQuestionOctets && answers.size() >= kBatchSlots * kAnswerOctets &&
         sources.size() >= kBatchSlots * kSourceOctets && question_lengths.size() >= kBatchSlots &&
         answer_lengths.size() >= kBatchSlots;
}

DatagramBatch::DatagramBatch(const BatchMemory& memory) : memory_(memory) {
  for (size_t i = 0; i < kBatchSlots; ++i) {
    questions_[i] = {memory.questions.data() + i * kQuestionOctets, kQuestionOctets};
    received_[i].msg_hdr.msg_iov = &questions_[i];
    received_[i].msg_hdr.msg_iovlen = 1;
    received_[i].msg_hdr.msg_name = memory.sources.data() + i * kSourceOctets;
    sent_[i].msg_hdr.msg_iov = &answers_[i];
    sent_[i].msg_hdr.msg_iovlen = 1;
  }
}

size_t DatagramBatch::Receive(int fd) {
  for (auto& message : received_) message.msg_hdr.msg_namelen = kSourceOctets;
  const int count = recvmmsg(fd, received_.data(), kBatchSlots, MSG_DONTWAIT, nullptr);
  if (count <= 0) return 0;
  for (int i = 0; i < count; ++i) {
    const bool whole = (received_[i].msg_hdr.msg_flags & MSG_TRUNC) == 0;
    memory_.question_lengths[i] = whole ? static_cast<int32_t>(received_[i].msg_len) : 0;
    memory_.answer_lengths[i] = 0;
  }
  return static_cast<size_t>(count);
}

void DatagramBatch::Send(int fd, size_t count) {
  unsigned ready = 0;
  for (size_t i = 0; i < std::min(count, kBatchSlots); ++i) {
    const int32_t length = memory_.answer_lengths[i];
    if (length <= 0 || static_cast<size_t>(length) > kAnswerOctets) continue;
    uint8_t* source = memory_.sources.data() + i * kSourceOctets;
    answers_[ready] = {memory_.answers.data() + i * kAnswerOctets, static_cast<size_t>(length)};
    sent_[ready].msg_hdr.msg_name = source;
    sent_[ready].msg_hdr.msg_namelen = LengthOf(source);
    ++ready;
  }
  for (unsigned at = 0; at < ready;) {
    const int taken = sendmmsg(fd, sent_.data() + at, ready - at, MSG_DONTWAIT);
    // The first of the rest is refused (no route back to its asker, no room): that is its asker's trouble alone.
    at += taken > 0 ? static_cast<unsigned>(taken) : 1;
  }
}

bool SendTo(int fd, std::span<const uint8_t> octets, std::span<const uint8_t> source) {
  if (source.size() < kSourceOctets) return false;
  const auto* to = reinterpret_cast<const sockaddr*>(source.data());
  const ssize_t sent = sendto(fd, octets.data(), octets.size(), MSG_DONTWAIT, to, LengthOf(source.data()));
  return sent == static_cast<ssize_t>(octets.size());
}

}  // namespace moat::lan
