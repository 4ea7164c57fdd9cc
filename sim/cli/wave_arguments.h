#pragma once
/// Waveform options, which mean the same in every verb that runs the machine.
#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "sim/modules/wave_options.h"

namespace guardbit::sim::cli {

struct WaveArguments {
  std::string file;
  std::string window;
  std::string select;
};

/// Adds --wave, --wave-window and --wave-select. `axis`: what the window's cycles count.
void add_wave(CLI::App& verb, WaveArguments& arguments, const std::string& axis);
/// Nothing without --wave; UserError kUsage for a window that is none.
std::optional<WaveOptions> wave_options(const WaveArguments& arguments);

}  // namespace guardbit::sim::cli
