#include "checksum.h"

#include <algorithm>

#include "testing/test.h"

using namespace moat;

namespace {

/** RFC 1071 1, word by word. */
uint16_t Reference(std::span<const uint8_t> octets) {
  uint64_t sum = 0;
  for (size_t i = 0; i < octets.size(); i += 1) sum += uint64_t{octets[i]} << (i % 2 == 0 ? 8 : 0);
  return FoldSum(sum);
}

}  // namespace

TEST(SumIsThatOfItsWordsAtEveryLengthAndAlignment) {
  auto random = moat::testing::Random();
  std::vector<uint8_t> octets(2000);
  for (uint8_t& octet : octets) octet = static_cast<uint8_t>(random());
  for (size_t length = 0; length < 1500; length += 1) {
    const std::span<const uint8_t> part = std::span(octets).subspan(random() % 70, length);
    EXPECT_EQ(FoldSum(AddToSum(0, part)), Reference(part));
    EXPECT_EQ(FoldSum(AddLongToSum(0, part)), Reference(part));
    EXPECT_EQ(FoldSum(AddShortToSum(0, part)), Reference(part));
  }
}

TEST(CopyAndSumIsACopyAndASum) {
  auto random = moat::testing::Random();
  std::vector<uint8_t> octets(1600);
  for (uint8_t& octet : octets) octet = static_cast<uint8_t>(random());
  for (size_t length = 0; length < 1500; length += 1) {
    const std::span<const uint8_t> part = std::span(octets).subspan(random() % 70, length);
    std::vector<uint8_t> to(length + 80, 0xaa);
    const size_t at = random() % 70;
    EXPECT_EQ(FoldSum(CopyAndAddToSum(5, part, &to[at])), FoldSum(AddToSum(5, part)));
    EXPECT(std::equal(part.begin(), part.end(), to.begin() + static_cast<ptrdiff_t>(at)));
    const auto untouched = [](uint8_t octet) { return octet == 0xaa; };
    EXPECT(std::all_of(to.begin(), to.begin() + static_cast<ptrdiff_t>(at), untouched));
    EXPECT(std::all_of(to.begin() + static_cast<ptrdiff_t>(at + length), to.end(), untouched));
  }
}

TEST(SumOfTheLargestPacketDoesNotOverflow) {
  const std::vector<uint8_t> octets(65535, 0xff);
  EXPECT_EQ(FoldSum(AddToSum(0, octets)), Reference(octets));
  EXPECT_EQ(FoldSum(AddToSum(0xffff, octets)), Reference(octets));
}
