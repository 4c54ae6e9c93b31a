#include "mailbox.h"

#include <poll.h>

#include <array>
#include <thread>

#include "testing/test.h"

using namespace moat;

namespace {

bool Readable(const Mailbox<int>& box, int waitMs) {
  pollfd one{box.Descriptor(), POLLIN, 0};
  return poll(&one, 1, waitMs) == 1;
}

}  // namespace

TEST(MailboxIsReadableWhileThereAreLetters) {
  Mailbox<int> box;
  EXPECT(!Readable(box, 0));
  for (int letter = 0; letter < 5; letter += 1) box.Post(letter);
  for (const size_t left : {3, 1}) {
    EXPECT(Readable(box, 0));
    EXPECT_EQ(box.Take(2).size(), size_t{2});
    EXPECT(left > 0 && Readable(box, 0));
  }
  EXPECT_EQ(box.Take(2).back(), 4);
  EXPECT(!Readable(box, 0));
  box.Post(5);
  EXPECT(Readable(box, 0));
}

TEST(MailboxWakesItsReaderForEveryLetterOfManyWriters) {
  constexpr int kWriters = 3, kLetters = 20'000;
  Mailbox<int> box;
  std::array<std::thread, kWriters> writers;
  for (int writer = 0; writer < kWriters; writer += 1) {
    writers[static_cast<size_t>(writer)] = std::thread([&box, writer] {
      for (int i = 0; i < kLetters; i += 1) box.Post(writer * kLetters + i);
    });
  }
  std::array<int, kWriters> next{};
  int got = 0;
  bool inOrder = true;
  // Looks only when it is told to, as the plane's thread does: a letter without a word would stay.
  while (got < kWriters * kLetters && Readable(box, 5000)) {
    for (const int letter : box.Take(32)) {
      int& expected = next[static_cast<size_t>(letter / kLetters)];
      inOrder = inOrder && letter % kLetters == expected;
      expected += 1;
      got += 1;
    }
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(got, kWriters * kLetters);
  EXPECT(inOrder);
}
