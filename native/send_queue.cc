#include "send_queue.h"

#include <cerrno>

namespace moat {
namespace {

/** Those in the queue, and those that callers may have out. */
constexpr size_t kSlots = 2 * SendQueue::kEnvelopes + 2;

/** Octets of one message that is cut: an IP packet with its headers must still be possible. */
constexpr size_t kMaxMessage = 65535 - 40 - 8;

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
  prepared_[count_] = {envelope.slot,         &envelope.path, envelope.socket, envelope.ecn,
                       envelope.dontFragment, envelope.probe, envelope.tunnel};
  data_[count_] = {envelope.bytes.data(), envelope.bytes.size()};
  count_ += 1;
  if (count_ == kEnvelopes) Flush();
}

/** Whether `next` may be cut from the same message as `first`, where everything between has joined. */
bool SendQueue::Joins(size_t first, size_t next) const noexcept {
  const Prepared &a = prepared_[first], &b = prepared_[next];
  if (a.path != b.path || a.socket != b.socket || a.ecn != b.ecn || a.dontFragment != b.dontFragment || a.probe || b.probe) return false;
  const size_t length = data_[first].iov_len;
  // Only the last one may be shorter, and the whole must fit one IP packet.
  return data_[next - 1].iov_len == length && data_[next].iov_len <= length && (next - first + 1) * length <= kMaxMessage;
}

size_t SendQueue::GroupFrom(size_t first) const noexcept {
  size_t end = first + 1;
  if (!segmentation_ || IsRaw(prepared_[first].socket)) return end;
  while (end < count_ && Joins(first, end)) end += 1;
  return end;
}

void SendQueue::Address(mmsghdr& header, Group& group) noexcept {
  const Prepared& first = prepared_[group.first];
  msghdr& message = header.msg_hdr;
  message.msg_iov = &data_[group.first];
  message.msg_iovlen = group.count;
  if (IsRaw(first.socket)) {
    first.path->FillRaw(message, group.control, first.ecn);
  } else {
    first.path->Fill(message, group.control, first.ecn);
  }
  if (group.count > 1) AddSegmentLength(message, group.control, static_cast<uint16_t>(data_[group.first].iov_len));
}

void SendQueue::Flush() noexcept {
  size_t groups = 0;
  for (size_t first = 0; first < count_; groups += 1) {
    const size_t end = GroupFrom(first);
    groups_[groups].first = first;
    groups_[groups].count = end - first;
    Address(headers_[groups], groups_[groups]);
    first = end;
  }
  const auto sameSocket = [&](size_t a, size_t b) {
    const Prepared &one = prepared_[groups_[a].first], &other = prepared_[groups_[b].first];
    return one.socket == other.socket && one.dontFragment == other.dontFragment;
  };
  for (size_t first = 0; first < groups;) {
    size_t end = first + 1;
    while (end < groups && sameSocket(first, end)) end += 1;
    SendGroups(first, end - first);
    first = end;
  }
  for (size_t i = 0; i < count_; i += 1) Put(prepared_[i].slot);
  count_ = 0;
}

void SendQueue::SendGroups(size_t first, size_t count) noexcept {
  const Prepared& envelope = prepared_[groups_[first].first];
  const int fd = sockets_.Descriptor(envelope.socket);
  bool& dontFragment = dontFragment_[static_cast<size_t>(envelope.socket)];
  if (dontFragment != envelope.dontFragment) {
    dontFragment = !dontFragment;
    SetDontFragment(fd, envelope.socket, dontFragment);
  }
  while (count > 0) {
    const int sent = sendmmsg(fd, &headers_[first], static_cast<unsigned>(count), MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    // An error speaks of the first message only; those behind it may have another destination.
    const size_t done = sent > 0 ? static_cast<size_t>(sent) : 1;
    if (sent <= 0) {
      // EIO: this interface has no checksum offload, which cutting needs.
      if (errno == EIO && groups_[first].count > 1) segmentation_ = false;
      if (groups_[first].count > 1 && errno != EAGAIN && errno != ENOBUFS) {
        SendEach(groups_[first]);
      } else {
        for (size_t i = 0; i < groups_[first].count; i += 1) Failed(groups_[first].first + i, errno);
      }
    }
    first += done;
    count -= done;
  }
}

/** What the kernel will not cut (because it has to fragment it, or cannot) goes one by one. */
void SendQueue::SendEach(const Group& group) noexcept {
  for (size_t index = group.first; index < group.first + group.count; index += 1) {
    Group single{index, 1, {}};
    mmsghdr header{};
    Address(header, single);
    if (sendmsg(sockets_.Descriptor(prepared_[index].socket), &header.msg_hdr, MSG_DONTWAIT) < 0) Failed(index, errno);
  }
}

void SendQueue::Failed(size_t index, int error) noexcept {
  const Prepared& envelope = prepared_[index];
  if (error == EMSGSIZE && envelope.tunnel != 0) observer_.TooLargeHere(envelope.tunnel, data_[index].iov_len);
  if (envelope.probe) return;
  counters_.Count(error == EAGAIN || error == ENOBUFS ? Drop::kQueueFull : Drop::kSendFailed);
}

}  // namespace moat
