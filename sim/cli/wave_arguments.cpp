#include "sim/cli/wave_arguments.h"

namespace guardbit::sim::cli {

void add_wave(CLI::App& verb, WaveArguments& arguments, const std::string& axis) {
  const auto check_not_empty = [](const std::string& text) -> std::string {
    return text.empty() ? "expected a value that is not empty" : "";
  };
  CLI::Option* wave = verb.add_option("--wave", arguments.file, "Write waveforms of the machine to this VCD file")
                          ->check(check_not_empty);
  verb.add_option("--wave-window", arguments.window, "from:to, " + axis + "; default: all")
      ->needs(wave)
      ->check(check_not_empty);
  verb.add_option("--wave-select", arguments.select,
                  "Signals by glob, such as '*.matrix.*', or with --fidelity pe '*.pe_0_*'; default: all")
      ->needs(wave)
      ->check(check_not_empty);
}

std::optional<WaveOptions> wave_options(const WaveArguments& arguments) {
  if (arguments.file.empty()) return std::nullopt;
  WaveOptions options{.file = arguments.file};
  if (!arguments.window.empty()) parse_wave_window(arguments.window, options);
  if (!arguments.select.empty()) options.select = arguments.select;
  return options;
}

}  // namespace guardbit::sim::cli
