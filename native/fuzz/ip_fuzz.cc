#include <vector>

#include "ecn.h"
#include "selector.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace moat;
  // A copy of the exact size, so that the address sanitizer sees every octet read too far.
  std::vector<uint8_t> packet(data, data + size);
  IpView view;
  if (ParseIp(packet, view) != Drop::kNone) return 0;
  if (view.length > size || view.transportOffset > view.length) __builtin_trap();
  const Selectors any{{{0, 4}, {~uint32_t{0}, 4}}, {{0, 6}, {~uint128{0}, 6}}};
  if (!CoversInbound(any, any, view)) __builtin_trap();
  ecn::Decapsulate(packet, view.ecn, size % 4);
  return 0;
}
