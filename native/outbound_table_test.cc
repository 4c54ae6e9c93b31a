#include "outbound_table.h"

#include <chrono>

#include "testing/test.h"

using namespace moat;

namespace {

const std::vector<uint8_t> kKey(36, 1);

Selector Range(const std::string& start, const std::string& end) {
  Selector selector;
  EXPECT(ParseAddress(start, selector.start) && ParseAddress(end, selector.end));
  return selector;
}

Path PathTo(const char* remote) {
  Path path;
  EXPECT(ParseAddress("192.0.2.1", path.local.address) && ParseAddress(remote, path.remote.address));
  path.local.port = path.remote.port = 4500;
  return path;
}

struct Wish {
  uint32_t tunnel;
  uint32_t spi;
  Selector remote = Range("10.0.0.0", "10.255.255.255");
  std::optional<uint32_t> afterInbound = std::nullopt;
  bool followPeer = false;
};

std::unique_ptr<OutboundSa> Make(const Wish& wish) {
  OutboundSettings settings;
  settings.sa.tunnel = wish.tunnel;
  settings.sa.spi = wish.spi;
  settings.sa.key = kKey;
  settings.sa.local = {Range("0.0.0.0", "255.255.255.255"), Range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")};
  settings.sa.remote = {wish.remote};
  settings.path = PathTo("192.0.2.2");
  settings.followPeer = wish.followPeer;
  settings.afterInbound = wish.afterInbound;
  return MakeOutboundSa(settings);
}

uint32_t SpiFor(OutboundTable& table, const char* destination) {
  IpView view;
  EXPECT(ParseAddress(destination, view.destination));
  EXPECT(ParseAddress(view.destination.family == 4 ? "172.16.0.1" : "fd00::1", view.source));
  const OutboundSa* sa = table.Find(view);
  return sa == nullptr ? 0 : sa->sealer.spi;
}

}  // namespace

TEST(OutboundTableChoosesTheNarrowestPrefix) {
  OutboundTable table;
  table.Install(Make({1, 101, Range("0.0.0.0", "255.255.255.255")}));
  table.Install(Make({2, 102, Range("10.1.0.0", "10.1.255.255")}));
  table.Install(Make({3, 103, Range("10.1.2.3", "10.1.2.3")}));
  table.Install(Make({4, 104, Range("fd00::", "fd00::ffff:ffff")}));
  table.Install(Make({5, 105, Range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")}));
  EXPECT_EQ(SpiFor(table, "8.8.8.8"), 101u);
  EXPECT_EQ(SpiFor(table, "10.1.9.9"), 102u);
  EXPECT_EQ(SpiFor(table, "10.1.2.3"), 103u);
  EXPECT_EQ(SpiFor(table, "fd00::1234:5678"), 104u);
  EXPECT_EQ(SpiFor(table, "fd00::1:0:0"), 105u);
  table.Remove(2, 102);
  EXPECT_EQ(SpiFor(table, "10.1.9.9"), 101u);
  table.Remove(1, 101);
  EXPECT_EQ(SpiFor(table, "10.1.9.9"), 0u);
}

TEST(OutboundTableFindsEveryAddressOfAnUnalignedRangeAndNoOther) {
  OutboundTable table;
  table.Install(Make({1, 101, Range("10.0.0.3", "10.0.1.17")}));
  table.Install(Make({2, 102, Range("255.255.255.250", "255.255.255.255")}));
  for (uint32_t last = 0; last < 600; last += 1) {
    const std::string address = "10.0." + std::to_string(last / 256) + "." + std::to_string(last % 256);
    EXPECT_EQ(SpiFor(table, address.c_str()), last >= 3 && last <= 273 ? 101u : 0u);
  }
  EXPECT_EQ(SpiFor(table, "255.255.255.255"), 102u);
  EXPECT_EQ(SpiFor(table, "255.255.255.249"), 0u);
  table.Remove(1, 101);
  EXPECT_EQ(SpiFor(table, "10.0.0.100"), 0u);
}

TEST(OutboundTableReplacesAtOnceAndKeepsTheOldOneInactive) {
  OutboundTable table;
  auto first = Make({1, 101}), second = Make({1, 102, Range("10.9.0.0", "10.9.255.255")});
  const auto firstRecord = first->record, secondRecord = second->record;
  table.Install(std::move(first));
  table.Install(std::move(second));
  EXPECT_EQ(SpiFor(table, "10.9.0.1"), 102u);
  EXPECT_EQ(SpiFor(table, "10.8.0.1"), 0u);
  EXPECT(!firstRecord->active && secondRecord->active);
  table.Remove(1, 102);
  EXPECT_EQ(SpiFor(table, "10.9.0.1"), 0u);
  table.Activate(1, 101);
  EXPECT_EQ(SpiFor(table, "10.8.0.1"), 101u);
}

TEST(OutboundTableLooksAgainAfterEveryChange) {
  OutboundTable table;
  const auto now = [&] { return SpiFor(table, "10.1.2.3"); };
  EXPECT_EQ(now(), 0u);
  table.Install(Make({1, 101}));
  EXPECT_EQ(now(), 101u);
  table.Install(Make({2, 102, Range("10.1.0.0", "10.1.255.255")}));
  EXPECT_EQ(now(), 102u);
  table.Install(Make({2, 202, Range("10.1.0.0", "10.1.255.255"), 7}));
  EXPECT_EQ(now(), 102u);
  table.InboundSeen(7);
  EXPECT_EQ(now(), 202u);
  table.Activate(2, 102);
  EXPECT_EQ(now(), 102u);
  table.Remove(2, 102);
  EXPECT_EQ(now(), 101u);
  table.Remove(1, 101);
  EXPECT_EQ(now(), 0u);
}

TEST(OutboundTableInstallsAnSpiOnce) {
  OutboundTable table;
  table.Install(Make({1, 101}));
  IpView view;
  EXPECT(ParseAddress("10.0.0.1", view.destination) && ParseAddress("172.16.0.1", view.source));
  table.Find(view)->sealer.sequence = 77;
  table.Install(Make({1, 101}));
  EXPECT_EQ(table.Find(view)->sealer.sequence, uint64_t{77});
  // Another tunnel's peer may have chosen the same SPI.
  table.Install(Make({2, 101, Range("11.0.0.0", "11.0.0.255")}));
  table.Remove(2, 101);
  EXPECT_EQ(SpiFor(table, "10.0.0.1"), 101u);
}

TEST(OutboundTableLetsNoOlderSaOvertakeANewerOne) {
  OutboundTable table;
  table.Install(Make({1, 101}));
  table.Install(Make({1, 102, Range("10.0.0.0", "10.255.255.255"), 900}));
  table.Install(Make({1, 103}));
  // Two rekeys, one from each side: what the first waited for comes after the second is in use.
  EXPECT_EQ(table.InboundSeen(900), 0u);
  EXPECT_EQ(SpiFor(table, "10.0.0.1"), 103u);
  // A newer one still waits for its own twin.
  table.Install(Make({1, 104, Range("10.0.0.0", "10.255.255.255"), 901}));
  table.Activate(1, 103);
  EXPECT_EQ(table.InboundSeen(901), 1u);
  EXPECT_EQ(SpiFor(table, "10.0.0.1"), 104u);
}

TEST(OutboundTableWaitsForTheInboundTwin) {
  OutboundTable table;
  table.Install(Make({1, 101}));
  table.Install(Make({1, 102, Range("10.0.0.0", "10.255.255.255"), 5000}));
  EXPECT_EQ(SpiFor(table, "10.0.0.1"), 101u);
  table.InboundSeen(4999);
  EXPECT_EQ(SpiFor(table, "10.0.0.1"), 101u);
  table.InboundSeen(5000);
  EXPECT_EQ(SpiFor(table, "10.0.0.1"), 102u);
  table.Install(Make({1, 103, Range("10.0.0.0", "10.255.255.255"), 5001}));
  table.Activate(1, 103);
  EXPECT_EQ(SpiFor(table, "10.0.0.1"), 103u);
  // Already activated: the inbound packet that comes now must not undo a later choice.
  table.Install(Make({1, 104}));
  table.InboundSeen(5001);
  EXPECT_EQ(SpiFor(table, "10.0.0.1"), 104u);
  // The inbound SA had its packet before the outbound one was installed.
  auto late = Make({1, 105, Range("10.0.0.0", "10.255.255.255"), 5002});
  late->awaited = std::make_shared<SaRecord>(SaDirection::kInbound, 1, 5002);
  late->awaited->authenticated = true;
  table.Install(std::move(late));
  EXPECT_EQ(SpiFor(table, "10.0.0.1"), 105u);
}

TEST(OutboundTableMovesPaths) {
  OutboundTable table;
  auto stays = Make({1, 101}), follows = Make({2, 201, Range("11.0.0.0", "11.0.0.255"), std::nullopt, true});
  const auto stayRecord = stays->record, followRecord = follows->record;
  table.Install(std::move(stays));
  table.Install(std::move(follows));
  table.PeerMoved(1, PathTo("198.51.100.1"));
  table.PeerMoved(2, PathTo("198.51.100.2"));
  table.PeerMoved(3, PathTo("198.51.100.3"));
  EXPECT(stayRecord->GetPath() == PathTo("192.0.2.2"));
  EXPECT(followRecord->GetPath() == PathTo("198.51.100.2"));
  table.MovePath(1, PathTo("198.51.100.9"));
  EXPECT(stayRecord->GetPath() == PathTo("198.51.100.9"));
}

TEST(OutboundTableStaysFlatWithTenThousandTunnels) {
  const auto nanoseconds = [](uint32_t tunnels) {
    OutboundTable table;
    for (uint32_t i = 1; i <= tunnels; i += 1) {
      Selector net;
      net.start = {uint128{10} << 24 | i << 8, 4};
      net.end = {net.start.value | 255, 4};
      table.Install(Make({i, 1000 + i, net}));
    }
    IpView view;
    EXPECT(ParseAddress("172.16.0.1", view.source));
    const auto before = std::chrono::steady_clock::now();
    uint64_t found = 0;
    for (uint32_t i = 0; i < 100'000; i += 1) {
      view.destination = {uint128{10} << 24 | (i % 16 + 1) << 8 | 7, 4};
      found += table.Find(view) != nullptr ? 1 : 0;
    }
    EXPECT_EQ(found, uint64_t{100'000});
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - before).count() / 100'000;
  };
  // Linear search would be 500 times slower; what is left is the memory's own distance.
  EXPECT(nanoseconds(10'000) < 20 * nanoseconds(20) + 500);
}
