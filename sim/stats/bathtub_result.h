#pragma once
/// What norms do at every scale of their input, in plain data; sim/replay fills it, sim/report prints it.
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/stats/value_reports.h"

namespace guardbit::sim {

/// One norm with the static scale s = 2^log2_scale.
struct BathtubPoint {
  int log2_scale = 0;
  double error = 0;             ///< rms of y - exact over rms of exact; +infinity if a y is not finite
  std::uint64_t nonfinite = 0;  ///< values y that are not finite
  std::array<TokenEvents, kNormEvents.size()> events;  ///< in the rows' statistics
  std::string output_sha256;                           ///< over y of all windows (binary32, little endian, row major)
};

/// The scale that a method gives this norm; it need not be a power of two.
struct BathtubMark {
  std::string method;
  double scale = 1;
};

struct BathtubNorm {
  std::string name;
  int layer = -1;
  std::uint64_t tokens = 0;
  Spread norm;                       ///< ||x|| of the rows
  std::vector<BathtubPoint> points;  ///< by ascending scale
  std::vector<BathtubMark> marks;
  /// The widest range of scales with the same outputs, bit for bit, among those with at most twice the least error;
  /// none: no error is finite.
  struct Range {
    int from = 0;
    int to = 0;
  };
  std::optional<Range> same_bits;
};

struct BathtubResult {
  std::map<std::string, std::string> provenance;
  std::string trace_name;
  std::uint64_t num_windows = 0;
  std::uint64_t num_tokens = 0;
  double residual_gain = 1;
  double channel_gain = 1;
  std::int64_t channels = 0;
  std::string accelerator_name;
  std::map<std::string, std::string> accelerator_keys;  ///< those of [norm] and [storage]
  std::vector<BathtubNorm> norms;
};

}  // namespace guardbit::sim
