#include "classify.h"

#include "testing/test.h"

using namespace moat;
using moat::testing::Hex;

TEST(ClassifyByTheFirstOctets) {
  const std::string ike(56, '1');
  EXPECT_EQ(ClassifyNatTraversalPort(Hex("ff")), Datagram::kKeepalive);
  EXPECT_EQ(ClassifyNatTraversalPort(Hex("ffffffff")), Datagram::kEsp);
  EXPECT_EQ(ClassifyNatTraversalPort(Hex("00000000" + ike)), Datagram::kIke);
  EXPECT_EQ(ClassifyNatTraversalPort(Hex("00000000" + ike.substr(2))), Datagram::kMalformed);
  EXPECT_EQ(ClassifyNatTraversalPort(Hex("00000001" + ike)), Datagram::kEsp);
  EXPECT_EQ(ClassifyNatTraversalPort(Hex("000000")), Datagram::kMalformed);
  EXPECT_EQ(ClassifyNatTraversalPort({}), Datagram::kMalformed);
  EXPECT_EQ(ClassifyIkePort(Hex(ike)), Datagram::kIke);
  EXPECT_EQ(ClassifyIkePort(Hex("ff")), Datagram::kMalformed);
}
