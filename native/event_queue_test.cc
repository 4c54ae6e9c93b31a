#include "event_queue.h"

#include "testing/test.h"

using namespace moat;

namespace {

Event Datagram(bool ofStranger, uint8_t number = 0) { return DatagramEvent{{number}, {}, ofStranger}; }

bool IsOfStranger(const std::optional<Event>& event) { return std::get<DatagramEvent>(*event).ofStranger; }

}  // namespace

TEST(EventQueueTellsItsReaderOnce) {
  EventQueue queue;
  EXPECT(queue.Add(Datagram(false)) == EventQueue::Put::kWake);
  EXPECT(queue.Add(Datagram(true)) == EventQueue::Put::kQueued);
  EXPECT(queue.Take().has_value() && queue.Take().has_value());
  EXPECT(queue.Add(Datagram(true)) == EventQueue::Put::kQueued);
  EXPECT(queue.Take().has_value() && !queue.Take().has_value());
  EXPECT(queue.Add(Datagram(true)) == EventQueue::Put::kWake);
}

TEST(EventQueueIsBoundedForEachKind) {
  EventQueue queue;
  size_t strangers = 0, known = 0;
  while (queue.Add(Datagram(true)) != EventQueue::Put::kFull) strangers += 1;
  while (queue.Add(Datagram(false)) != EventQueue::Put::kFull) known += 1;
  EXPECT_EQ(strangers, EventQueue::kStrangers);
  EXPECT_EQ(known, EventQueue::kKnown);
  EXPECT(queue.Add(ExpiringEvent{1, 2}) != EventQueue::Put::kFull);
}

TEST(EventQueueLetsNobodyStarve) {
  EventQueue queue;
  for (int i = 0; i < 100; i += 1) queue.Add(Datagram(true));
  for (uint8_t i = 0; i < 100; i += 1) queue.Add(Datagram(false, i));
  queue.Add(ExpiringEvent{1, 2});
  EXPECT(std::holds_alternative<ExpiringEvent>(*queue.Take()));
  uint8_t next = 0;
  for (int i = 0; i < 40; i += 1) {
    const std::optional<Event> event = queue.Take();
    EXPECT_EQ(IsOfStranger(event), i % 4 == 3);
    if (!IsOfStranger(event)) EXPECT_EQ(std::get<DatagramEvent>(*event).bytes[0], next++);
  }
  for (int i = 0; i < 160; i += 1) EXPECT(queue.Take().has_value());
  EXPECT(!queue.Take().has_value());
}
