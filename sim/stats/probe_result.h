#pragma once
/// What single products (`guardbit gemm`) and tensor conversions (`guardbit quantize`) yield, in plain data; sim/probe
/// fills it, sim/report prints it.
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/numerics/events.h"
#include "sim/stats/exponent_histogram.h"

namespace guardbit::sim {

/// Differences from exact values, over the finite results only.
struct ErrorStatistics {
  std::uint64_t num_compared = 0;
  std::uint64_t num_left_out = 0;  ///< result or exact value is not finite
  std::uint64_t num_exact = 0;     ///< results that are the exact value
  double max_abs = 0;
  double rms = 0;
  double max_relative = 0;  ///< largest |error| / |exact|, where exact is not 0
  double relative_rms = 0;  ///< rms error / rms of the exact values; 0 if those are all 0
  /// Power of the exact values over power of the error, in dB; none if either is 0.
  std::optional<double> sqnr_db() const {
    if (!(relative_rms > 0)) return std::nullopt;
    return -20 * std::log10(relative_rms);
  }
};

/// Cycles of the described array for one product, memory unlimited.
struct GemmTiming {
  std::string fidelity;  ///< "tile": closed forms; "pe": folds, cycles and pe_cycles are those of the stepped array
  std::string policy;
  std::string edge;
  std::string dataflow;
  std::uint64_t folds = 0;
  std::uint64_t cycles_per_fold = 0;  ///< of a full fold, of PEs that take one cycle per MAC (overlap: behind another)
  std::uint64_t cycles = 0;           ///< of the whole product, of such PEs; policy serial: folds * cycles_per_fold
  std::uint64_t pe_cycles = 0;        ///< what the described PEs add: latency, interleaving, promotions, cycles_per_mac
  std::uint64_t macs = 0;
  std::uint64_t mac_slots_per_cycle = 0;  ///< rows * cols * dot_width
  std::uint64_t mapped = 0;               ///< outputs (os) or stationary operands (ws, is) of the product
  std::uint64_t mapping_slots = 0;  ///< folds * rows * cols, for operands * dot_width: what all folds have place for
  std::uint64_t pe_updates = 0;     ///< "pe": clock edges times PEs, the plain PEs' run included
  std::uint64_t total_cycles() const { return cycles + pe_cycles; }
};

struct GemmValues {
  std::string digest;  ///< SHA-256 over C's carriers (binary32, little endian, row major)
  std::string result_format;
  numerics::EventLedger events;
  std::optional<ErrorStatistics> error;  ///< against the exact sum of the operands as held; none: not asked for
  ExponentHistogram exponents;
  std::optional<int> headroom_bits;  ///< format's largest exponent minus the largest one seen; none: no finite result
  std::optional<int> footroom_bits;  ///< smallest exponent seen minus that of the format's least normal
  std::optional<bool> equals_reference;  ///< none: not asked for
};

struct GemmResult {
  std::map<std::string, std::string> provenance;
  std::uint64_t m = 0;
  std::uint64_t n = 0;
  std::uint64_t k = 0;
  std::string a;  ///< where the operands came from: "normal:1", "a.npy"
  std::string b;
  std::string accelerator_name;
  std::string preset;  ///< published accumulator in place of the configured one, or empty
  std::map<std::string, std::string> accelerator_keys;  ///< [array] and [accumulator], resolved
  std::vector<numerics::Event> wanted;                  ///< events that were counted
  std::optional<GemmValues> values;                     ///< none: timing alone
  GemmTiming timing;
};

/// One tensor brought into a format.
struct QuantizedTensor {
  std::string name;  ///< of the tensor; "tensor" in a .npy file
  std::vector<std::uint64_t> shape;
  numerics::EventCounts events;
  ErrorStatistics error;
  ExponentHistogram inputs;     ///< divided by their scale
  ExponentHistogram outputs;    ///< delivered values, in units of their scale
  std::uint64_t num_below = 0;  ///< inputs whose exponent lies below the format's least subnormal, or whose scale is 0
  std::uint64_t num_above = 0;  ///< and above its largest value's
  std::uint64_t num_scales = 0;
  float min_scale = 1;  ///< NaN scales left out; of blocks times the tensor's scale
  float max_scale = 1;
  std::optional<std::int64_t> min_zero_point;  ///< of uintN with scales
  std::optional<std::int64_t> max_zero_point;
  std::optional<float> tensor_scale;  ///< of nvfp4
};

struct QuantizeResult {
  std::map<std::string, std::string> provenance;
  std::string input;
  std::string output;
  std::map<std::string, std::string>
      coding;                ///< format, rounding, overflow, subnormals, scale, value; block_size, axis
  int least_exponent = 0;    ///< of the format's least positive value
  int largest_exponent = 0;  ///< of its largest finite value
  std::vector<QuantizedTensor> tensors;
};

}  // namespace guardbit::sim
