#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <span>

namespace moat {

enum class Cipher : uint8_t { kAes128Gcm16, kAes256Gcm16, kChaCha20Poly1305 };

inline constexpr size_t kIcvLength = 16, kSaltLength = 4, kIvLength = 8;

/** Octets of key and salt together, as KEYMAT yields them (RFC 4106 8.1, RFC 7634 2.2). */
constexpr size_t KeyMaterialLength(Cipher cipher) noexcept {
  return (cipher == Cipher::kAes128Gcm16 ? 16 : 32) + kSaltLength;
}

/** One key in one direction. The key schedule is made once; each packet only brings another IV. */
class Aead {
 public:
  enum class Direction : uint8_t { kSeal, kOpen };

  /** Null when `keyMaterial` has the wrong length for the cipher or libcrypto refuses. */
  static std::unique_ptr<Aead> Create(Cipher cipher, Direction direction, std::span<const uint8_t> keyMaterial);
  ~Aead();
  Aead(const Aead&) = delete;
  Aead& operator=(const Aead&) = delete;

  /** Encrypts `data` in place and writes its tag of kIcvLength octets. */
  bool Seal(const uint8_t* iv, std::span<const uint8_t> additional, std::span<uint8_t> data, uint8_t* tag) noexcept;

  /** Decrypts `data` in place; false, with `data` worthless, when the tag is wrong. */
  bool Open(const uint8_t* iv, std::span<const uint8_t> additional, std::span<uint8_t> data, const uint8_t* tag) noexcept;

 private:
  Aead() = default;

  struct Nonce {
    uint8_t octets[kSaltLength + kIvLength];
  };
  Nonce NonceOf(const uint8_t* iv) const noexcept;

  EVP_CIPHER_CTX* context_ = nullptr;
  uint8_t salt_[kSaltLength] = {};
};

}  // namespace moat
