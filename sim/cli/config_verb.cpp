#include <fmt/format.h>

#include <memory>

#include "sim/base/error.h"
#include "sim/cli/verbs.h"
#include "sim/config/accelerator.h"
#include "sim/config/describe.h"
#include "sim/probe/product_mode.h"

namespace guardbit::sim::cli {
namespace {

struct ConfigArguments {
  std::string file;
  std::vector<std::string> overrides;
  std::string preset;
  bool origin = false;
};
using Arguments = std::shared_ptr<ConfigArguments>;

void add_overrides(CLI::App& verb, ConfigArguments& arguments) {
  verb.add_option("--set", arguments.overrides, "Override one key: section.key=value")->allow_extra_args(false);
}

LoadedAccelerator load(const ConfigArguments& arguments) {
  LoadedAccelerator accelerator = arguments.file.empty() ? default_accelerator(arguments.overrides)
                                                         : load_accelerator(arguments.file, arguments.overrides);
  return arguments.preset.empty() ? accelerator : with_preset(accelerator, arguments.preset);
}

void add_check(CLI::App& config, const Arguments& arguments, Action& action) {
  CLI::App* verb = config.add_subcommand("check", "Report every problem of a file");
  verb->add_option("file", arguments->file, "Accelerator file")->required();
  add_overrides(*verb, *arguments);
  verb->footer(examples({"guardbit config check configs/accelerators/edge.toml",
                         "guardbit config check configs/accelerators/edge.toml --set norm.accumulator.format=e6m9"}));
  verb->final_callback([arguments, &action] {
    action = [arguments] {
      (void)load(*arguments);
      say(fmt::format("{}: no problems\n", printable(arguments->file)));
      return 0;
    };
  });
}

void add_show(CLI::App& config, const Arguments& arguments, Action& action) {
  CLI::App* verb = config.add_subcommand("show", "Print every key with its value, as an accelerator file");
  verb->add_option("file", arguments->file, "Accelerator file; without one every key has its default");
  add_overrides(*verb, *arguments);
  verb->add_option("--preset", arguments->preset,
                   "With the keys of a published accumulator (guardbit list accumulators)");
  verb->add_flag("--origin", arguments->origin,
                 "Say where each value comes from: default, preset NAME, FILE:LINE or --set");
  verb->footer(examples({"guardbit config show configs/accelerators/hopper.toml --set array.rows=16 --origin",
                         "guardbit config show --preset kulisch_fp8 > mine.toml"}));
  verb->final_callback([arguments, &action] {
    action = [arguments] {
      print(show(load(*arguments), arguments->origin));
      return 0;
    };
  });
}

void add_schema(CLI::App& config, Action& action) {
  CLI::App* verb = config.add_subcommand("schema", "Print all keys with values, default, unit and meaning");
  verb->footer(examples({"guardbit config schema"}, "The output is configs/README.md."));
  verb->final_callback([&action] {
    action = [] {
      print(key_reference());
      return 0;
    };
  });
}

}  // namespace

void add_config(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<ConfigArguments>();
  CLI::App* config = app.add_subcommand("config", "Check, show or explain accelerator files");
  config->require_subcommand(1);
  add_check(*config, arguments, action);
  add_show(*config, arguments, action);
  add_schema(*config, action);
  config->footer(examples(
      {"guardbit config check configs/accelerators/edge.toml",
       "guardbit config show configs/accelerators/edge.toml --set array.rows=16 --origin", "guardbit config schema"},
      "A value comes from --set, else from the file, else from the files that it extends, else is the default."));
}

}  // namespace guardbit::sim::cli
