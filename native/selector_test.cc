#include "selector.h"

#include "testing/test.h"

using namespace moat;
using moat::testing::Hex;

namespace {

Address At(const char* text) {
  Address address;
  EXPECT(ParseAddress(text, address));
  return address;
}

IpView View(const char* source, const char* destination, uint8_t protocol) {
  IpView view;
  view.source = At(source);
  view.destination = At(destination);
  view.protocol = protocol;
  return view;
}

IpView WithPorts(IpView view, uint16_t source, uint16_t destination) {
  view.hasPorts = true;
  view.sourcePort = source;
  view.destinationPort = destination;
  return view;
}

Selector Range(const char* start, const char* end, uint8_t protocol = 0, uint16_t startPort = 0, uint16_t endPort = 65535) {
  return {At(start), At(end), protocol, startPort, endPort};
}

}  // namespace

TEST(SelectorsCompareBothEndsOfTheRange) {
  const Selectors local{Range("10.1.0.0", "10.1.0.255")};
  const Selectors remote{Range("10.2.0.5", "10.2.0.9"), Range("fd00::", "fd00::ffff")};
  EXPECT(CoversOutbound(local, remote, View("10.1.0.0", "10.2.0.5", 1)));
  EXPECT(CoversOutbound(local, remote, View("10.1.0.255", "10.2.0.9", 1)));
  EXPECT(!CoversOutbound(local, remote, View("10.1.0.1", "10.2.0.4", 1)));
  EXPECT(!CoversOutbound(local, remote, View("10.1.0.1", "10.2.0.10", 1)));
  EXPECT(!CoversOutbound(local, remote, View("10.1.1.0", "10.2.0.5", 1)));
  EXPECT(CoversInbound(local, remote, View("10.2.0.5", "10.1.0.1", 1)));
  EXPECT(!CoversInbound(local, remote, View("10.1.0.1", "10.2.0.5", 1)));
  // A family that no selector names is never covered, whatever its number.
  EXPECT(!CoversOutbound(local, remote, View("::a01:1", "fd00::1", 1)));
}

TEST(SelectorsCompareProtocolAndPorts) {
  const Selectors any{Range("0.0.0.0", "255.255.255.255")};
  const Selectors web{Range("0.0.0.0", "255.255.255.255", kTcp, 80, 443)};
  const IpView tcp = View("10.0.0.1", "10.0.0.2", kTcp);
  EXPECT(CoversOutbound(any, web, WithPorts(tcp, 5000, 80)));
  EXPECT(CoversOutbound(any, web, WithPorts(tcp, 5000, 443)));
  EXPECT(!CoversOutbound(any, web, WithPorts(tcp, 80, 444)));
  EXPECT(!CoversOutbound(any, web, WithPorts(View("10.0.0.1", "10.0.0.2", kUdp), 1, 80)));
  // RFC 4301 7.2: a fragment without ports only fits any-port (or OPAQUE) selectors.
  EXPECT(!CoversOutbound(any, web, tcp));
  EXPECT(!CoversOutbound(any, {{Range("0.0.0.0", "255.255.255.255", kTcp, 0, 443)}}, tcp));
  EXPECT(CoversOutbound(any, {{Range("0.0.0.0", "255.255.255.255", kTcp)}}, tcp));
  const Selectors opaque{Range("0.0.0.0", "255.255.255.255", kTcp, 65535, 0)};
  EXPECT(CoversOutbound(any, opaque, tcp));
  EXPECT(!CoversOutbound(any, opaque, WithPorts(tcp, 5000, 80)));
}

TEST(IpReadsPortsAndLengths) {
  IpView view;
  EXPECT_EQ(ParseIp(Hex("4503001c 00000000 40110000 0a000001 0a000002 1388 0050 0008 0000 ffff"), view), Drop::kNone);
  EXPECT_EQ(view.length, size_t{28});
  EXPECT(view.hasPorts && view.sourcePort == 5000 && view.destinationPort == 80 && view.protocol == kUdp && view.ecn == 3);
  // A later fragment has no ports; the first one has, and is a fragment too.
  EXPECT_EQ(ParseIp(Hex("4500001c 00000001 40110000 0a000001 0a000002 1388 0050 0008 0000"), view), Drop::kNone);
  EXPECT(!view.hasPorts && view.fragment && view.transportOffset == view.length);
  EXPECT_EQ(ParseIp(Hex("4500001c 00002000 40110000 0a000001 0a000002 1388 0050 0008 0000"), view), Drop::kNone);
  EXPECT(view.hasPorts && view.fragment);
  // ICMP: type and code.
  EXPECT_EQ(ParseIp(Hex("4500001c 00000000 40010000 0a000001 0a000002 0304 0000 0000 0000"), view), Drop::kNone);
  EXPECT(view.hasPorts && view.sourcePort == 0x304 && view.destinationPort == 0x304);
}

TEST(IpWalksIpv6ExtensionHeaders) {
  const std::string addresses = "fd000000000000000000000000000001 fd000000000000000000000000000002";
  IpView view;
  // hop-by-hop (8 octets) -> fragment, first -> UDP
  EXPECT_EQ(ParseIp(Hex("60200000 0018 00 40" + addresses + "2c00010400000000 11000001 00000007 1388 0050 0008 0000"), view), Drop::kNone);
  EXPECT(view.protocol == kUdp && view.hasPorts && view.sourcePort == 5000 && view.fragment && view.ecn == 2);
  // fragment, not the first
  EXPECT_EQ(ParseIp(Hex("60000000 0010 2c 40" + addresses + "11000008 00000007 1388 0050 0008 0000"), view), Drop::kNone);
  EXPECT(view.protocol == kUdp && !view.hasPorts && view.fragment);
  // an extension header longer than the packet
  EXPECT_EQ(ParseIp(Hex("60000000 0008 3c 40" + addresses + "1105000000000000"), view), Drop::kMalformed);
  // nothing behind the header
  EXPECT_EQ(ParseIp(Hex("60000000 0000 3b 40" + addresses), view), Drop::kNone);
}

TEST(IpRefusesLengthsThatDoNotFit) {
  IpView view;
  const std::string rest = "00000000 40110000 0a000001 0a000002 1388 0050 0008 0000";
  for (const char* start : {"4500001d", "44000020", "45000013", "45000000", "4f00001c", "55000020", "00000000"}) {
    EXPECT_EQ(ParseIp(Hex(start + rest), view), Drop::kMalformed);
  }
  EXPECT_EQ(ParseIp({}, view), Drop::kMalformed);
  const std::string addresses = "fd000000000000000000000000000001 fd000000000000000000000000000002";
  EXPECT_EQ(ParseIp(Hex("60000000 0009 11 40" + addresses + "1388005000080000"), view), Drop::kMalformed);
  // RFC 2675: a jumbogram.
  EXPECT_EQ(ParseIp(Hex("60000000 0000 00 40" + addresses + "3b00c20400010000"), view), Drop::kMalformed);
}
