#include "address.h"

#include <arpa/inet.h>

namespace moat {

bool ParseAddress(const std::string& text, Address& address) {
  uint8_t octets[16];
  if (inet_pton(AF_INET, text.c_str(), octets) == 1) {
    address = LoadAddress4(octets);
    return true;
  }
  if (inet_pton(AF_INET6, text.c_str(), octets) != 1) return false;
  address = LoadAddress6(octets);
  return true;
}

std::string FormatAddress(const Address& address) {
  char text[INET6_ADDRSTRLEN] = "";
  uint8_t octets[16];
  if (address.family == 4) {
    StoreBe32(octets, static_cast<uint32_t>(address.value));
    inet_ntop(AF_INET, octets, text, sizeof text);
  } else if (address.family == 6) {
    StoreAddress6(octets, address);
    inet_ntop(AF_INET6, octets, text, sizeof text);
  }
  return text;
}

}  // namespace moat
