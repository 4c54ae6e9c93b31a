#pragma once

#include <cstdint>
#include <functional>
#include <iostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

/* A test harness in one page: TEST(name) { ... EXPECT_EQ(a, b); }; a binary runs every test linked into it. */
namespace moat::testing {

struct Case {
  const char* name;
  void (*run)();
};

inline std::vector<Case>& Cases() {
  static std::vector<Case> cases;
  return cases;
}

inline int& Failures() {
  static int failures = 0;
  return failures;
}

struct Registration {
  Registration(const char* name, void (*run)()) { Cases().push_back({name, run}); }
};

template <typename Value>
std::string Show(const Value& value) {
  std::ostringstream text;
  if constexpr (std::is_enum_v<Value>) {
    text << static_cast<int>(value);
  } else if constexpr (std::is_same_v<Value, uint8_t>) {
    text << static_cast<int>(value);
  } else {
    text << value;
  }
  return text.str();
}

inline void Fail(const char* file, int line, const std::string& what) {
  std::cerr << file << ":" << line << ": " << what << "\n";
  Failures() += 1;
}

inline uint8_t Digit(char c) { return static_cast<uint8_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10); }

/** Octets from hexadecimal; blanks are ignored. */
inline std::vector<uint8_t> Hex(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (!std::isspace(static_cast<unsigned char>(c))) digits.push_back(c);
  }
  std::vector<uint8_t> octets;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) octets.push_back(static_cast<uint8_t>(Digit(digits[i]) << 4 | Digit(digits[i + 1])));
  return octets;
}

template <typename Octets>
std::string ToHex(const Octets& octets) {
  std::string text;
  for (const uint8_t octet : octets) {
    text.push_back("0123456789abcdef"[octet >> 4]);
    text.push_back("0123456789abcdef"[octet & 15]);
  }
  return text;
}

/** The seed is fixed, so that a failure comes again; MOAT_SEED chooses another. */
inline std::mt19937_64 Random() {
  const char* seed = std::getenv("MOAT_SEED");
  return std::mt19937_64(seed == nullptr ? 20261122 : std::strtoull(seed, nullptr, 10));
}

}  // namespace moat::testing

#define TEST(name)                                                      \
  static void Test##name();                                             \
  static const moat::testing::Registration register##name(#name, Test##name); \
  static void Test##name()

#define EXPECT(condition) \
  if (!(condition)) moat::testing::Fail(__FILE__, __LINE__, "expected " #condition)

#define EXPECT_EQ(actual, expected)                                                                      \
  do {                                                                                                   \
    const auto actualValue = (actual);                                                                   \
    const decltype(actualValue) expectedValue = (expected);                                              \
    if (!(actualValue == expectedValue)) {                                                               \
      moat::testing::Fail(__FILE__, __LINE__, std::string(#actual " is ") + moat::testing::Show(actualValue) + \
                                                  ", expected " + moat::testing::Show(expectedValue));   \
    }                                                                                                    \
  } while (false)
