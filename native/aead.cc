#include "aead.h"

#include <openssl/crypto.h>

#include <cstring>

namespace moat {
namespace {

constexpr size_t kNonceLength = kSaltLength + kIvLength;

const EVP_CIPHER* EvpCipher(Cipher cipher) {
  switch (cipher) {
    case Cipher::kAes128Gcm16:
      return EVP_aes_128_gcm();
    case Cipher::kAes256Gcm16:
      return EVP_aes_256_gcm();
    case Cipher::kChaCha20Poly1305:
      return EVP_chacha20_poly1305();
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<Aead> Aead::Create(Cipher cipher, Direction direction, std::span<const uint8_t> keyMaterial) {
  if (keyMaterial.size() != KeyMaterialLength(cipher)) return nullptr;
  std::unique_ptr<Aead> aead(new Aead());
  aead->context_ = EVP_CIPHER_CTX_new();
  if (aead->context_ == nullptr) return nullptr;
  const int encrypt = direction == Direction::kSeal ? 1 : 0;
  if (EVP_CipherInit_ex(aead->context_, EvpCipher(cipher), nullptr, keyMaterial.data(), nullptr, encrypt) != 1) return nullptr;
  std::memcpy(aead->salt_, keyMaterial.data() + keyMaterial.size() - kSaltLength, kSaltLength);
  return aead;
}

// Freeing the context cleanses the key schedule (EVP_CIPHER_CTX_free(3)).
Aead::~Aead() {
  EVP_CIPHER_CTX_free(context_);
  OPENSSL_cleanse(salt_, sizeof salt_);
}

bool Aead::Start(const uint8_t* iv, std::span<const uint8_t> additional, std::span<uint8_t> data) noexcept {
  uint8_t nonce[kNonceLength];
  std::memcpy(nonce, salt_, kSaltLength);
  std::memcpy(nonce + kSaltLength, iv, kIvLength);
  int length = 0;
  return EVP_CipherInit_ex(context_, nullptr, nullptr, nullptr, nonce, -1) == 1 &&
         EVP_CipherUpdate(context_, nullptr, &length, additional.data(), static_cast<int>(additional.size())) == 1 &&
         EVP_CipherUpdate(context_, data.data(), &length, data.data(), static_cast<int>(data.size())) == 1;
}

bool Aead::Seal(const uint8_t* iv, std::span<const uint8_t> additional, std::span<uint8_t> data, uint8_t* tag) noexcept {
  int length = 0;
  return Start(iv, additional, data) && EVP_CipherFinal_ex(context_, data.data() + data.size(), &length) == 1 &&
         EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, kIcvLength, tag) == 1;
}

bool Aead::Open(const uint8_t* iv, std::span<const uint8_t> additional, std::span<uint8_t> data, const uint8_t* tag) noexcept {
  uint8_t expected[kIcvLength];
  std::memcpy(expected, tag, kIcvLength);
  int length = 0;
  return Start(iv, additional, data) &&
         EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, kIcvLength, expected) == 1 &&
         EVP_CipherFinal_ex(context_, data.data() + data.size(), &length) == 1;
}

}  // namespace moat
