#include "send_queue.h"

#include <cerrno>

namespace moat {

SendQueue::SendQueue(const Sockets& sockets, Counters& counters, size_t slotLength)
    : sockets_(sockets), counters_(counters), slotLength_(slotLength), buffers_(new uint8_t[kEnvelopes * slotLength]) {}

void SendQueue::Commit(const Envelope& envelope) noexcept {
  if (sockets_.Descriptor(envelope.socket) < 0) {
    counters_.Count(Drop::kNoSocket);
    return;
  }
  Prepared& prepared = prepared_[count_];
  prepared.data = {envelope.bytes.data(), envelope.bytes.size()};
  prepared.socket = envelope.socket;
  msghdr& message = headers_[count_].msg_hdr;
  message.msg_iov = &prepared.data;
  message.msg_iovlen = 1;
  if (IsRaw(envelope.socket)) {
    envelope.path.FillRaw(message, prepared.control, envelope.ecn);
  } else {
    envelope.path.Fill(message, prepared.control, envelope.ecn);
  }
  count_ += 1;
  if (count_ == kEnvelopes) Flush();
}

void SendQueue::Flush() noexcept {
  size_t first = 0;
  while (first < count_) {
    size_t end = first + 1;
    while (end < count_ && prepared_[end].socket == prepared_[first].socket) end += 1;
    SendRun(first, end - first);
    first = end;
  }
  count_ = 0;
}

void SendQueue::SendRun(size_t first, size_t count) noexcept {
  const int fd = sockets_.Descriptor(prepared_[first].socket);
  while (count > 0) {
    const int sent = sendmmsg(fd, &headers_[first], static_cast<unsigned>(count), MSG_DONTWAIT);
    // An error speaks of the first envelope only; those behind it may have another destination.
    const size_t done = sent > 0 ? static_cast<size_t>(sent) : 1;
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) counters_.Count(errno == EAGAIN || errno == ENOBUFS ? Drop::kQueueFull : Drop::kSendFailed);
    first += done;
    count -= done;
  }
}

}  // namespace moat
