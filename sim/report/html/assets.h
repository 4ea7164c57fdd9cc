#pragma once
/// The page's style sheet and script, embedded when the program is built (embed.cmake).
#include <string_view>

namespace guardbit::sim::html {

extern const std::string_view kStyle;
extern const std::string_view kScript;

}  // namespace guardbit::sim::html
