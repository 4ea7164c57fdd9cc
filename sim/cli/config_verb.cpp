#include <fmt/format.h>

#include <memory>

#include "sim/cli/verbs.h"
#include "sim/config/accelerator.h"
#include "sim/config/describe.h"

namespace guardbit::sim::cli {
namespace {

struct ConfigArguments {
  std::string file;
  std::vector<std::string> overrides;
};

CLI::App* add_file_verb(CLI::App& app, const std::string& name, const std::string& summary,
                        ConfigArguments& arguments) {
  CLI::App* verb = app.add_subcommand(name, summary);
  verb->add_option("file", arguments.file, "Accelerator file")->required();
  verb->add_option("--set", arguments.overrides, "Override one key: section.key=value")->allow_extra_args(false);
  return verb;
}

}  // namespace

void add_config(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<ConfigArguments>();
  CLI::App* config = app.add_subcommand("config", "Check, show or explain accelerator files");
  config->require_subcommand(1);
  add_file_verb(*config, "check", "Report every problem of a file", *arguments)->final_callback([arguments, &action] {
    action = [arguments] {
      const LoadedAccelerator accelerator = load_accelerator(arguments->file, arguments->overrides);
      say(fmt::format("{}: no problems\n", arguments->file));
      return 0;
    };
  });
  add_file_verb(*config, "show", "Print the resolved file and where each value came from", *arguments)
      ->final_callback([arguments, &action] {
        action = [arguments] {
          print(show(load_accelerator(arguments->file, arguments->overrides)));
          return 0;
        };
      });
  config->add_subcommand("schema", "Print all keys with range, default, unit and meaning")->final_callback([&action] {
    action = [] {
      print(key_reference());
      return 0;
    };
  });
  config->footer("Example: guardbit config show configs/accelerators/edge.toml --set array.rows=16");
}

}  // namespace guardbit::sim::cli
