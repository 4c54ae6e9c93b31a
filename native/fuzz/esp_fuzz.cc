#include <vector>

#include "esp.h"
#include "ip.h"

/*
 * Two halves, by the first octet: a packet as a stranger may send it, and a plaintext as a peer with the right key may send
 * it (sealed here, so that what stands behind authentication is reached).
 */
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace moat;
  if (size < 2) return 0;
  const std::vector<uint8_t> key(36, 7);
  esp::Opener opener(0x01010101, (data[0] & 2) != 0, 64);
  opener.aead = Aead::Create(Cipher::kAes256Gcm16, Aead::Direction::kOpen, key);
  esp::Opened opened;
  IpView view;
  std::vector<uint8_t> packet(data + 1, data + size);
  if ((data[0] & 1) == 0) {
    if (esp::Open(opener, packet, opened) == Drop::kNone) __builtin_trap();
    return 0;
  }
  const auto aead = Aead::Create(Cipher::kAes256Gcm16, Aead::Direction::kSeal, key);
  std::vector<uint8_t> sealed(esp::kHeadroom + packet.size() + kIcvLength);
  StoreBe32(sealed.data(), 0x01010101);
  StoreBe32(sealed.data() + 4, 1);
  std::copy(packet.begin(), packet.end(), sealed.begin() + esp::kHeadroom);
  uint8_t additional[12] = {1, 1, 1, 1};
  StoreBe64(additional + 4, 1);
  if (!opener.esn) StoreBe32(additional + 4, 1);
  aead->Seal(sealed.data() + 8, {additional, opener.esn ? size_t{12} : size_t{8}},
             std::span(sealed).subspan(esp::kHeadroom, packet.size()), sealed.data() + esp::kHeadroom + packet.size());
  if (esp::Open(opener, sealed, opened) != Drop::kNone) return 0;
  if (opened.payload.size() > packet.size()) __builtin_trap();
  if (ParseIp(opened.payload, view) == Drop::kNone && view.length > opened.payload.size()) __builtin_trap();
  return 0;
}
