#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace impair {

using Value = std::variant<double, std::string, std::vector<std::string>>;
using Object = std::map<std::string, Value, std::less<>>;

/// A JSON object whose values are numbers, booleans (as 0 and 1), strings without escapes or lists of such
/// strings: all that the control's own client sends. Nothing for anything else.
std::optional<Object> ParseObject(std::string_view text);

}  // namespace impair
