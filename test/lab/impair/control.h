#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "channel.h"

namespace impair {

/// The channels by the name that the control knows them by.
using Channels = std::map<std::string, Channel*, std::less<>>;

/// One line of the control in, one line out (without the line feed). Lines are flat JSON objects:
///   {"set":"up","delay":20000000,"loss":0.01,"block":["17:4500","50"],"seed":7}   ->  {"ok":true}
///   {"read":"counters"}                                   ->  {"up":{"packetsIn":3,...},"down":{...}}
/// `set` gives the whole state of a direction: what it does not name is off. Unknown names are errors.
std::string Answer(std::string_view line, const Channels& channels);

}  // namespace impair
