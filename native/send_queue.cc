#include "send_queue.h"

#include <algorithm>
#include <cerrno>

namespace moat {
namespace {

/** One for each lane, those that are full already, and one for control messages. */
constexpr size_t kBlocks = SendQueue::kLanes + SendQueue::kFlushOctets / 65536 + 8;

/** Octets and datagrams of one message that is cut: an IP packet with its headers must still be possible; older kernels cut 64. */
constexpr size_t kMaxMessage = 65535 - 40 - 8, kMaxSegments = 64;

}  // namespace

SendQueue::SendQueue(const Sockets& sockets, Counters& counters, SizeObserver& observer, size_t blockLength)
    : sockets_(sockets),
      counters_(counters),
      observer_(observer),
      blockLength_(blockLength),
      memory_(kBlocks * blockLength),
      blocks_(kBlocks) {
  // No lane owns a block of generation 0.
  for (Block& block : blocks_) block.generation = 1;
}

bool SendQueue::Owns(const SendLane& lane) const noexcept {
  const Block& block = blocks_[lane.block];
  return block.inUse && block.generation == lane.generation;
}

/** After a flush there is one, since only lanes with a slot out keep theirs; unless a full socket left much: then the oldest is lost. */
uint32_t SendQueue::FreeBlock() noexcept {
  const auto free = [&] { return std::find_if(blocks_.begin(), blocks_.end(), [](const Block& one) { return !one.inUse; }); };
  auto found = free();
  if (found == blocks_.end()) Flush();
  for (found = free(); found == blocks_.end(); found = free()) {
    Failed(messages_[0], messages_[0].segment, EAGAIN);
    Shift(1);
  }
  const auto index = static_cast<size_t>(found - blocks_.begin());
  blocksEnd_ = std::max(blocksEnd_, index + 1);
  return static_cast<uint32_t>(index);
}

/** Takes the first messages out of the list. */
void SendQueue::Shift(size_t done) noexcept {
  const auto begin = messages_.begin();
  std::move(begin + static_cast<ptrdiff_t>(done), begin + static_cast<ptrdiff_t>(count_), begin);
  count_ -= done;
  Release();
}

uint8_t* SendQueue::Take(SendLane& lane, size_t length) noexcept {
  if (!Owns(lane) || blocks_[lane.block].used + length > blockLength_) {
    const uint32_t index = FreeBlock();
    Block& block = blocks_[index];
    block.inUse = true;
    block.used = 0;
    block.message = kMessages;
    lane = {index, block.generation};
  }
  blocks_[lane.block].taken = true;
  return At(lane.block) + blocks_[lane.block].used;
}

/** Whether an envelope may be cut from the same message as those before it. */
bool SendQueue::Joins(const Message& message, const uint8_t* bytes, const Envelope& envelope) const noexcept {
  if (!segmentation_ || IsRaw(envelope.socket) || message.probe || envelope.probe) return false;
  if (message.socket != envelope.socket || message.ecn != envelope.ecn || message.dontFragment != envelope.dontFragment) return false;
  // Only the last one may be shorter, so all before this are whole, and the whole must fit one IP packet.
  const bool allWhole = message.length == message.segment * message.count;
  return allWhole && message.bytes + message.length == bytes && envelope.length <= message.segment && message.count < kMaxSegments &&
         message.length + envelope.length <= kMaxMessage;
}

void SendQueue::Commit(const SendLane& lane, const Envelope& envelope) noexcept {
  Block& block = blocks_[lane.block];
  if (sockets_.Descriptor(envelope.socket) < 0) {
    block.taken = false;
    return counters_.Count(Drop::kNoSocket);
  }
  uint8_t* bytes = At(lane.block) + block.used;
  block.used += envelope.length;
  octets_ += envelope.length;
  if (block.message < count_ && Joins(messages_[block.message], bytes, envelope)) {
    messages_[block.message].length += envelope.length;
    messages_[block.message].count += 1;
    block.taken = false;
    return;
  }
  if (count_ >= kFlushMessages || octets_ >= kFlushOctets) Flush();
  block.taken = false;
  if (count_ == kMessages) return counters_.Count(Drop::kQueueFull);
  block.message = static_cast<uint32_t>(count_);
  messages_[count_] = {envelope.path, lane.block,      envelope.tunnel, bytes,        envelope.length,       envelope.length,
                       1,             envelope.socket, envelope.ecn,    envelope.dontFragment, envelope.probe};
  count_ += 1;
}

void SendQueue::Address(mmsghdr& header, size_t index) noexcept {
  Message& one = messages_[index];
  data_[index] = {one.bytes, one.length};
  msghdr& message = header.msg_hdr;
  message.msg_iov = &data_[index];
  message.msg_iovlen = 1;
  if (IsRaw(one.socket)) {
    one.path.FillRaw(message, controls_[index].octets, one.ecn);
  } else {
    one.path.Fill(message, controls_[index].octets, one.ecn);
  }
  if (one.count > 1) AddSegmentLength(message, controls_[index].octets, static_cast<uint16_t>(one.segment));
}

void SendQueue::Flush() noexcept {
  blocked_ = false;
  size_t first = 0;
  while (first < count_ && !blocked_) {
    size_t end = first;
    const auto same = [&](const Message& one) {
      return one.socket == messages_[first].socket && one.dontFragment == messages_[first].dontFragment;
    };
    for (; end < count_ && same(messages_[end]); end += 1) Address(headers_[end], end);
    first = SendFrom(first, end);
  }
  octets_ = 0;
  Shift(first);
}

/** Frees the blocks that nobody writes to and no message lies in. What was left over is not joined any more: its path may have moved. */
void SendQueue::Release() noexcept {
  std::array<bool, kBlocks> waiting{};
  for (size_t i = 0; i < count_; i += 1) waiting[messages_[i].block] = true;
  size_t end = 0;
  for (size_t i = 0; i < blocksEnd_; i += 1) {
    Block& block = blocks_[i];
    block.message = kMessages;
    if (block.inUse && !block.taken && !waiting[i]) {
      block.inUse = false;
      block.generation += 1;
    }
    if (block.inUse) end = i + 1;
  }
  blocksEnd_ = end;
}

/** Sends messages of one socket. @returns the first that is still to be sent, before `end` when the socket is full. */
size_t SendQueue::SendFrom(size_t first, size_t end) noexcept {
  const Message& message = messages_[first];
  const int fd = sockets_.Descriptor(message.socket);
  bool& dontFragment = dontFragment_[static_cast<size_t>(message.socket)];
  if (dontFragment != message.dontFragment) {
    dontFragment = !dontFragment;
    SetDontFragment(fd, message.socket, dontFragment);
  }
  while (first < end) {
    const int sent = sendmmsg(fd, &headers_[first], static_cast<unsigned>(end - first), MSG_DONTWAIT);
    if (sent > 0) {
      first += static_cast<size_t>(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      blocked_ = true;
      return first;
    }
    // An error speaks of the first message only; those behind it may have another destination.
    Message& failed = messages_[first];
    // EIO: this interface has no checksum offload, which cutting needs.
    if (errno == EIO && failed.count > 1) segmentation_ = false;
    // ENOBUFS of a long message: the buffer's bound was met in the middle of it. Piece by piece it is met before one, and nothing is lost.
    if (failed.count == 1) {
      Failed(failed, failed.length, errno);
    } else if (!SendEach(failed)) {
      blocked_ = true;
      return first;
    }
    first += 1;
  }
  return first;
}

/** What the kernel will not cut (because it has to fragment it, or cannot) goes one by one. False: the socket is full, the rest stays. */
bool SendQueue::SendEach(Message& message) noexcept {
  const size_t index = static_cast<size_t>(&message - messages_.data());
  while (message.length > 0) {
    const size_t length = std::min(message.segment, message.length);
    mmsghdr header{};
    message.path.Fill(header.msg_hdr, controls_[index].octets, message.ecn);
    iovec piece{message.bytes, length};
    header.msg_hdr.msg_iov = &piece;
    header.msg_hdr.msg_iovlen = 1;
    const bool sent = sendmsg(sockets_.Descriptor(message.socket), &header.msg_hdr, MSG_DONTWAIT) >= 0;
    if (!sent && errno == EAGAIN) return false;
    Message one = message;
    one.count = 1;
    if (!sent) Failed(one, length, errno);
    message.bytes += length;
    message.length -= length;
    message.count -= 1;
  }
  return true;
}

/** @param length octets of one envelope. */
void SendQueue::Failed(const Message& message, size_t length, int error) noexcept {
  if (error == EMSGSIZE && message.tunnel != 0) observer_.TooLargeHere(message.tunnel, std::min(length, message.segment));
  if (message.probe) return;
  const Drop drop = error == EAGAIN || error == ENOBUFS ? Drop::kQueueFull : Drop::kSendFailed;
  for (size_t i = 0; i < message.count; i += 1) counters_.Count(drop);
}

}  // namespace moat
