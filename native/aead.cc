#include "aead.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <cstring>

namespace moat {
namespace {

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

/** What EVP_CIPHER_CTX_ctrl makes of a tag, without its way through all the controls of all ciphers: a twelfth of a packet's time. */
struct TagParameter {
  explicit TagParameter(uint8_t* tag) noexcept
      : list{OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, kIcvLength), OSSL_PARAM_construct_end()} {}
  OSSL_PARAM list[2];
};

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

Aead::Nonce Aead::NonceOf(const uint8_t* iv) const noexcept {
  Nonce nonce;
  std::memcpy(nonce.octets, salt_, kSaltLength);
  std::memcpy(nonce.octets + kSaltLength, iv, kIvLength);
  return nonce;
}

bool Aead::Seal(const uint8_t* iv, std::span<const uint8_t> additional, std::span<uint8_t> data, uint8_t* tag) noexcept {
  int length = 0;
  TagParameter made(tag);
  return EVP_EncryptInit_ex2(context_, nullptr, nullptr, NonceOf(iv).octets, nullptr) == 1 &&
         EVP_EncryptUpdate(context_, nullptr, &length, additional.data(), static_cast<int>(additional.size())) == 1 &&
         EVP_EncryptUpdate(context_, data.data(), &length, data.data(), static_cast<int>(data.size())) == 1 &&
         EVP_EncryptFinal_ex(context_, data.data() + data.size(), &length) == 1 && EVP_CIPHER_CTX_get_params(context_, made.list) == 1;
}

bool Aead::Open(const uint8_t* iv, std::span<const uint8_t> additional, std::span<uint8_t> data, const uint8_t* tag) noexcept {
  uint8_t expected[kIcvLength];
  std::memcpy(expected, tag, kIcvLength);
  int length = 0;
  const TagParameter wanted(expected);
  return EVP_DecryptInit_ex2(context_, nullptr, nullptr, NonceOf(iv).octets, wanted.list) == 1 &&
         EVP_DecryptUpdate(context_, nullptr, &length, additional.data(), static_cast<int>(additional.size())) == 1 &&
         EVP_DecryptUpdate(context_, data.data(), &length, data.data(), static_cast<int>(data.size())) == 1 &&
         EVP_DecryptFinal_ex(context_, data.data() + data.size(), &length) == 1;
}

}  // namespace moat
