#include <vector>

#include "classify.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace moat;
  const std::vector<uint8_t> datagram(data, data + size);
  if (ClassifyNatTraversalPort(datagram) == Datagram::kIke && size < kNonEspMarkerLength + kIkeHeaderLength) __builtin_trap();
  if (ClassifyIkePort(datagram) == Datagram::kIke && size < kIkeHeaderLength) __builtin_trap();
  return 0;
}
