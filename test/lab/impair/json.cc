#include "json.h"

#include <charconv>

namespace impair {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<Object> ReadObject() {
    Object object;
    if (!Eat('{')) return std::nullopt;
    if (Eat('}')) return AtEnd() ? std::optional(object) : std::nullopt;
    do {
      auto name = ReadString();
      if (!name || !Eat(':')) return std::nullopt;
      auto value = ReadValue();
      if (!value) return std::nullopt;
      object.insert_or_assign(std::move(*name), std::move(*value));
    } while (Eat(','));
    return Eat('}') && AtEnd() ? std::optional(object) : std::nullopt;
  }

 private:
  void SkipSpace() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\t' || text_[0] == '\r')) text_.remove_prefix(1);
  }

  bool AtEnd() {
    SkipSpace();
    return text_.empty();
  }

  bool Eat(char wanted) {
    SkipSpace();
    if (text_.empty() || text_[0] != wanted) return false;
    text_.remove_prefix(1);
    return true;
  }

  bool EatWord(std::string_view word) {
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }

  std::optional<std::string> ReadString() {
    if (!Eat('"')) return std::nullopt;
    const size_t end = text_.find_first_of("\"\\");
    if (end == std::string_view::npos || text_[end] == '\\') return std::nullopt;
    std::string result(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return result;
  }

  std::optional<Value> ReadList() {
    std::vector<std::string> list;
    if (Eat(']')) return list;
    do {
      auto item = ReadString();
      if (!item) return std::nullopt;
      list.push_back(std::move(*item));
    } while (Eat(','));
    return Eat(']') ? std::optional<Value>(list) : std::nullopt;
  }

  std::optional<Value> ReadValue() {
    if (Eat('[')) return ReadList();
    if (text_.starts_with('"')) return ReadString();
    if (EatWord("true")) return 1.0;
    if (EatWord("false")) return 0.0;
    double number = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), number);
    if (error != std::errc{}) return std::nullopt;
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    return number;
  }

  std::string_view text_;
};

}  // namespace

std::optional<Object> ParseObject(std::string_view text) { return Parser(text).ReadObject(); }

}  // namespace impair
