#pragma once
/// What to record of a run's waveforms.
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>

namespace guardbit::sim {

struct WaveOptions {
  std::filesystem::path file;
  std::uint64_t from_cycle = 0;  ///< of simulated time: all runs of the process follow one another
  std::uint64_t to_cycle = std::numeric_limits<std::uint64_t>::max();  ///< first cycle behind the window
  std::string select = "*";                                            ///< glob over signal names
};

/// "from:to" (either may be empty) into the options; UserError kUsage otherwise.
void parse_wave_window(const std::string& text, WaveOptions& options);

}  // namespace guardbit::sim
