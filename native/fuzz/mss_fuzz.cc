#include <vector>

#include "icmp.h"
#include "mss.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace moat;
  std::vector<uint8_t> packet(data, data + size);
  IpView view;
  if (ParseIp(packet, view) != Drop::kNone) return 0;
  std::vector<uint8_t> answer(kMaxIcmp);
  const size_t length = MakeTooBig(std::span(packet).first(view.length), view, 1400, answer);
  IpView answered;
  if (length > 0 && (ParseIp(std::span(answer).first(length), answered) != Drop::kNone || answered.length != length)) __builtin_trap();
  const std::vector<uint8_t> before = packet;
  const bool changed = ClampMss(packet, view, 1000);
  if (changed == (packet == before)) __builtin_trap();
  if (ClampMss(packet, view, 1000)) __builtin_trap();
  return 0;
}
