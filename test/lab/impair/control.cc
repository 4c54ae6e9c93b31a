#include "control.h"

#include <charconv>
#include <functional>
#include <optional>

#include "json.h"

namespace impair {
namespace {

std::string Problem(const std::string& sentence) { return "{\"error\":\"" + sentence + "\"}"; }

template <typename Number>
void Assign(Number& field, double value) {
  field = static_cast<Number>(value);
}

const std::map<std::string, std::function<void(Settings&, double)>, std::less<>> kNumbers = {
    {"delay", [](Settings& s, double v) { Assign(s.delay, v); }},
    {"jitter", [](Settings& s, double v) { Assign(s.jitter, v); }},
    {"loss", [](Settings& s, double v) { Assign(s.loss, v); }},
    {"burst", [](Settings& s, double v) { Assign(s.burst, v); }},
    {"reorder", [](Settings& s, double v) { Assign(s.reorder, v); }},
    {"reorderDelay", [](Settings& s, double v) { Assign(s.reorder_delay, v); }},
    {"reorderPackets", [](Settings& s, double v) { Assign(s.reorder_packets, v); }},
    {"duplicate", [](Settings& s, double v) { Assign(s.duplicate, v); }},
    {"corrupt", [](Settings& s, double v) { Assign(s.corrupt, v); }},
    {"rate", [](Settings& s, double v) { Assign(s.rate, v); }},
    {"queue", [](Settings& s, double v) { Assign(s.queue, v); }},
    {"mtu", [](Settings& s, double v) { Assign(s.mtu, v); }},
    {"eatFragments", [](Settings& s, double v) { s.eat_fragments = v != 0; }},
    {"eatIcmp", [](Settings& s, double v) { s.eat_icmp = v != 0; }},
};

/// "17" or "17:4500".
std::optional<Block> ParseBlock(std::string_view text) {
  Block block;
  const char* end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, block.protocol);
  if (error != std::errc{}) return std::nullopt;
  if (at == end) return block;
  if (*at != ':') return std::nullopt;
  auto [stop, port_error] = std::from_chars(at + 1, end, block.port);
  return port_error == std::errc{} && stop == end ? std::optional(block) : std::nullopt;
}

/// Empty when all is well, otherwise the problem.
std::string ReadSetting(const std::string& name, const Value& value, Settings& settings) {
  if (const auto* list = std::get_if<std::vector<std::string>>(&value); list != nullptr && name == "block") {
    for (const std::string& text : *list) {
      const auto block = ParseBlock(text);
      if (!block) return "block: expected PROTOCOL or PROTOCOL:PORT as numbers, not " + text;
      settings.blocks.push_back(*block);
    }
    return {};
  }
  const auto field = kNumbers.find(name);
  if (field == kNumbers.end()) return name + ": no such setting";
  const auto* number = std::get_if<double>(&value);
  if (number == nullptr || *number < 0 || *number > 9e15) return name + ": expected a number that is not negative";
  field->second(settings, *number);
  return {};
}

std::string Set(const std::string& direction, const Object& request, const Channels& channels) {
  const auto channel = channels.find(direction);
  if (channel == channels.end()) return Problem("no such direction: " + direction);
  Settings settings;
  uint64_t seed = 0;
  for (const auto& [name, value] : request) {
    if (name == "set") continue;
    if (name == "seed" && std::holds_alternative<double>(value)) {
      seed = static_cast<uint64_t>(std::get<double>(value));
      continue;
    }
    if (std::string problem = ReadSetting(name, value, settings); !problem.empty()) return Problem(problem);
  }
  // The smallest IPv4 packet with a fragment of eight octets; less would never end.
  if (settings.mtu != 0 && settings.mtu < 68) return Problem("mtu: expected at least 68 octets (RFC 791)");
  channel->second->Configure(std::move(settings), seed);
  return "{\"ok\":true}";
}

std::string Read(const Channels& channels) {
  std::string text = "{";
  for (const auto& [name, channel] : channels) {
    text += (text.size() > 1 ? ",\"" : "\"") + name + "\":{\"waiting\":" + std::to_string(channel->waiting());
    for (size_t i = 0; i < kCountNames.size(); ++i) {
      text += std::string(",\"") + kCountNames[i] + "\":" + std::to_string(channel->counts()[i]);
    }
    text += "}";
  }
  return text + "}";
}

}  // namespace

std::string Answer(std::string_view line, const Channels& channels) {
  const auto request = ParseObject(line);
  if (!request) return Problem("not a flat JSON object");
  if (const auto set = request->find("set"); set != request->end()) {
    const auto* direction = std::get_if<std::string>(&set->second);
    return direction == nullptr ? Problem("set: expected a direction") : Set(*direction, *request, channels);
  }
  if (request->contains("read")) return Read(channels);
  return Problem("expected set or read");
}

}  // namespace impair
