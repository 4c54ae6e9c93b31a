#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "address.h"

namespace moat {

/** A path as the kernel wants it for `sendmsg`, made once when the path is set. */
class WirePath {
 public:
  /** Room for one packet-info, one traffic-class and one segment-size message. */
  static constexpr size_t kControlLength = CMSG_SPACE(sizeof(in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int));

  WirePath() = default;
  explicit WirePath(const Path& path);

  uint8_t Family() const noexcept { return family_; }
  uint16_t LocalPort() const noexcept { return localPort_; }

  /**
   * Fills destination, source address and ECN bits of `message`, whose data is the caller's.
   * @param control kControlLength octets aligned for cmsghdr, alive until the message is sent.
   */
  void Fill(msghdr& message, uint8_t* control, uint8_t ecn) const noexcept;

  /** The same destination without a port, for raw sockets. */
  void FillRaw(msghdr& message, uint8_t* control, uint8_t ecn) const noexcept;

 private:
  void FillFrom(msghdr& message, uint8_t* control, uint8_t ecn) const noexcept;

  union {
    sockaddr_in remote4_;
    sockaddr_in6 remote6_ = {};
  };
  union {
    in_pktinfo local4_;
    in6_pktinfo local6_ = {};
  };
  sockaddr_in6 rawRemote6_ = {};
  uint16_t localPort_ = 0;
  uint8_t family_ = 0;
  bool anyLocal_ = true;
};

/** Lets the kernel cut the data of a message, filled before, into datagrams of `length` octets (UDP_SEGMENT). */
void AddSegmentLength(msghdr& message, uint8_t* control, uint16_t length) noexcept;

/** The end of a socket address. */
Endpoint EndpointOf(const sockaddr* address) noexcept;

}  // namespace moat
