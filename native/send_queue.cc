#include "send_queue.h"

#include <cerrno>

namespace moat {
namespace {

/** Those in the queue, and those that callers may have out. */
constexpr size_t kSlots = 2 * SendQueue::kEnvelopes + 2;

}  // namespace

SendQueue::SendQueue(const Sockets& sockets, Counters& counters, SizeObserver& observer, size_t slotLength)
    : sockets_(sockets), counters_(counters), observer_(observer), slotLength_(slotLength), buffers_(new uint8_t[kSlots * slotLength]) {
  free_.reserve(kSlots);
  for (size_t i = kSlots; i > 0; i -= 1) free_.push_back(buffers_.get() + (i - 1) * slotLength);
}

uint8_t* SendQueue::Take() noexcept {
  if (free_.empty()) Flush();
  uint8_t* slot = free_.back();
  free_.pop_back();
  return slot;
}

void SendQueue::Commit(const Envelope& envelope) noexcept {
  if (sockets_.Descriptor(envelope.socket) < 0) {
    counters_.Count(Drop::kNoSocket);
    Put(envelope.slot);
    return;
  }
  Prepared& prepared = prepared_[count_];
  prepared.slot = envelope.slot;
  prepared.data = {envelope.bytes.data(), envelope.bytes.size()};
  prepared.socket = envelope.socket;
  prepared.dontFragment = envelope.dontFragment;
  prepared.probe = envelope.probe;
  prepared.tunnel = envelope.tunnel;
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
    while (end < count_ && SameRun(prepared_[end], prepared_[first])) end += 1;
    SendRun(first, end - first);
    first = end;
  }
  for (size_t i = 0; i < count_; i += 1) Put(prepared_[i].slot);
  count_ = 0;
}

void SendQueue::SendRun(size_t first, size_t count) noexcept {
  const SocketKind kind = prepared_[first].socket;
  const int fd = sockets_.Descriptor(kind);
  bool& dontFragment = dontFragment_[static_cast<size_t>(kind)];
  if (dontFragment != prepared_[first].dontFragment) {
    dontFragment = !dontFragment;
    SetDontFragment(fd, kind, dontFragment);
  }
  while (count > 0) {
    const int sent = sendmmsg(fd, &headers_[first], static_cast<unsigned>(count), MSG_DONTWAIT);
    // An error speaks of the first envelope only; those behind it may have another destination.
    const size_t done = sent > 0 ? static_cast<size_t>(sent) : 1;
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) Failed(prepared_[first], errno);
    first += done;
    count -= done;
  }
}

void SendQueue::Failed(const Prepared& envelope, int error) noexcept {
  if (error == EMSGSIZE && envelope.tunnel != 0) observer_.TooLargeHere(envelope.tunnel, envelope.data.iov_len);
  if (envelope.probe) return;
  counters_.Count(error == EAGAIN || error == ENOBUFS ? Drop::kQueueFull : Drop::kSendFailed);
}

}  // namespace moat
