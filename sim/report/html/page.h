#pragma once
/// The frame of a page: head with its content security policy, title, navigation, sections, data and script.
#include <string>
#include <string_view>
#include <vector>

#include "sim/report/replay_json.h"

namespace guardbit::sim::html {

struct PageSection {
  std::string_view id;
  std::string_view title;  ///< in the navigation
  std::string content;     ///< empty: left out
};

struct Page {
  std::string title;     ///< escaped, as the next
  std::string facts;     ///< one line below it
  std::string controls;  ///< beside the navigation
  std::vector<PageSection> sections;
  Json data;  ///< what the script draws
};

[[nodiscard]] std::string page_text(const Page& page);

}  // namespace guardbit::sim::html
