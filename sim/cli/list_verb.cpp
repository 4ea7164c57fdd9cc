#include <fmt/format.h>

#include <memory>

#include "sim/cli/verbs.h"
#include "sim/report/listing.h"

namespace guardbit::sim::cli {
namespace {

struct ListArguments {
  bool json = false;
};
using Arguments = std::shared_ptr<ListArguments>;

void add_json(CLI::App& verb, const Arguments& arguments) {
  verb.add_flag("--json", arguments->json, "As JSON (schema guardbit-list/1)");
}

/// What there is to list.
std::string topics_text() {
  std::string text;
  for (const Listing& row : listings()) text += fmt::format("{:<16}{}\n", row.topic, row.summary);
  return text + "\nguardbit list TOPIC prints one of them, with --json for programs.\n";
}

void add_topic(CLI::App& list, const Listing& row, const Arguments& arguments, Action& action) {
  CLI::App* verb = list.add_subcommand(std::string(row.topic), "List " + std::string(row.summary));
  add_json(*verb, arguments);
  verb->footer(
      examples({fmt::format("guardbit list {}", row.topic), fmt::format("guardbit list {} --json", row.topic)}));
  verb->final_callback([arguments, &row, &action] {
    action = [arguments, &row] {
      print(arguments->json ? listing_json(row.topic) : row.text());
      return 0;
    };
  });
}

}  // namespace

void add_list(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<ListArguments>();
  CLI::App* list = app.add_subcommand("list", "List what this build knows");
  list->require_subcommand(0, 1);
  add_json(*list, arguments);
  list->final_callback([arguments, list, &action] {
    if (!list->get_subcommands().empty()) return;
    action = [arguments] {
      print(arguments->json ? listing_json("") : topics_text());
      return 0;
    };
  });
  for (const Listing& row : listings()) add_topic(*list, row, arguments, action);
  list->footer(examples({"guardbit list", "guardbit list formats", "guardbit list --json"}));
}

}  // namespace guardbit::sim::cli
