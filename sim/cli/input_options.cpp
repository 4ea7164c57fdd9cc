#include "sim/cli/input_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sim/base/error.h"
#include "sim/base/input_policy.h"
#include "sim/cli/verbs.h"

namespace guardbit::sim::cli {
namespace {

constexpr std::array<std::string_view, 5> kReadNothing = {"completion", "list", "man", "schema", "truths"};
constexpr std::array<std::pair<std::string_view, std::uint64_t>, 8> kUnits = {{{"", 1},
                                                                               {"B", 1},
                                                                               {"kB", 1000},
                                                                               {"MB", 1'000'000},
                                                                               {"GB", 1'000'000'000},
                                                                               {"KiB", 1 << 10},
                                                                               {"MiB", 1 << 20},
                                                                               {"GiB", 1 << 30}}};

/// "64MiB" to bytes, in place; what is wrong with it otherwise.
std::string read_size(std::string& text) {
  std::uint64_t number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  const std::string_view unit(end, static_cast<std::size_t>(last - end));
  const auto row = std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& known) { return known.first == unit; });
  if (error != std::errc{} || row == kUnits.end() || number > UINT64_MAX / row->second)
    return "got " + text + "; expected bytes, or a number with kB, MB, GB, KiB, MiB or GiB";
  text = std::to_string(number * row->second);
  return "";
}

void add_to(CLI::App& verb, const std::shared_ptr<InputPolicy>& policy) {
  if (std::find(kReadNothing.begin(), kReadNothing.end(), verb.get_name()) != kReadNothing.end()) return;
  const std::vector<CLI::App*> subverbs = verb.get_subcommands([](const CLI::App*) { return true; });
  for (CLI::App* subverb : subverbs) add_to(*subverb, policy);
  if (!subverbs.empty()) return;
  verb.add_option(
          "--max-input", policy->max_bytes,
          "Refuse larger input files (exit 69): bytes, or a number with a unit such as 64MiB (default: no limit)")
      ->transform(CLI::Validator(read_size, "SIZE"));
  verb.add_flag("--strict", policy->refuses_hard_links,
                "Refuse hard links among the files of a trace or checkpoint instead of warning");
  verb.parse_complete_callback([policy] { set_input_policy(*policy); });
}

}  // namespace

void add_input_options(CLI::App& app) {
  const auto policy = std::make_shared<InputPolicy>();
  policy->warn = [](const std::string& text) { warn(text); };
  for (CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) add_to(*verb, policy);
}

}  // namespace guardbit::sim::cli
