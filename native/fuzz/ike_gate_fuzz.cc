#include <vector>

#include "ike_gate.h"

/** Whatever comes, the answer is never longer than what is asked for, and a nonce was there. */
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace moat;
  constexpr size_t kHeaderLength = 28, kShortest = kHeaderLength + 4 + 16;
  if (size < kHeaderLength) return 0;
  static IkeGate gate;
  static const bool kReady = [] {
    const std::vector<uint8_t> secret(32, 1);
    gate.Demand({1, Hmac::Create(secret), Hmac::Create(secret)}, 1);
    return true;
  }();
  const std::vector<uint8_t> message(data, data + size);
  const Endpoint from{{0xc0000201, 4}, 500};
  if (kReady && gate.Judge(message, from, 0) == IkeGate::Verdict::kChallenged && size < kShortest) __builtin_trap();
  return 0;
}
