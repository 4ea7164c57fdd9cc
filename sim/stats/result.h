#pragma once
/// What a replay yields, in plain data; reports print it, nothing here computes.
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/numerics/events.h"
#include "models/units/cost_model.h"
#include "sim/stats/value_reports.h"

namespace guardbit::sim {

/// The hardware units, in report order.
enum class UnitKind : std::uint8_t { kLoad, kMatrix, kNorm, kVector, kRotate, kStore };
inline constexpr std::size_t kNumUnits = 6;
inline constexpr std::array<std::string_view, kNumUnits> kUnitNames = {"load",   "matrix", "norm",
                                                                       "vector", "rotate", "store"};

/// What a unit does in a cycle. The numbers are those of the waveforms' state signals.
enum class UnitState : std::uint8_t { kIdle, kBusy, kInputStall, kTokenWait, kOutputStall };
inline constexpr std::array<std::string_view, 5> kUnitStateNames = {"idle", "busy", "input_stall", "token_wait",
                                                                    "output_stall"};

/// What a command is for. Busy cycles are accounted by purpose, and a stall names the purpose of what it waits for.
enum class Purpose : std::uint8_t {
  kOther,
  kWeights,        ///< transfer of weights
  kActivations,    ///< transfer of an op's inputs
  kKeysValues,     ///< transfer of keys or values
  kResults,        ///< transfer of results to DRAM
  kProduct,        ///< multiply-accumulates
  kPromotion,      ///< what promotions into the outer accumulator add to them
  kGroupScaling,   ///< what the promotions at smoothing groups add
  kNorm,           ///< statistics and normalization
  kSlancScale,     ///< what a static scale that is not a power of two adds
  kDynamicScale,   ///< what scaling by each row's maximum adds
  kRotation,       ///< Hadamard transforms
  kChannelMaxima,  ///< runtime smoothing: channel maxima
  kSort,           ///< runtime smoothing: order of the channels
  kSmoothDivide,   ///< runtime smoothing: division by the group scales
  kQuantization,   ///< conversion into operand formats, with its scale
  kTensorMaxima,   ///< the range of all tokens, for one scale of a tensor
  kRowSums,        ///< sums of activations' codes, for weights with zero points
  kEpilogue,       ///< scales, bias and storage format of a product's results
  kSoftmax,
  kElementwise,  ///< embedding, rotary positions, activation, gate, residual
};
inline constexpr std::size_t kNumPurposes = 21;
inline constexpr std::array<std::string_view, kNumPurposes> kPurposeNames = {
    "other",         "weights",      "activations",   "keys_values",   "results",  "product",        "promotion",
    "group_scaling", "norm",         "slanc_scale",   "dynamic_scale", "rotation", "channel_maxima", "sort",
    "smooth_divide", "quantization", "tensor_maxima", "row_sums",      "epilogue", "softmax",        "elementwise"};
/// What number formats and outlier methods cost beyond the products themselves, in report order.
inline constexpr std::array kOverheads = {Purpose::kSlancScale,    Purpose::kDynamicScale, Purpose::kRotation,
                                          Purpose::kChannelMaxima, Purpose::kSort,         Purpose::kSmoothDivide,
                                          Purpose::kGroupScaling,  Purpose::kPromotion,    Purpose::kQuantization,
                                          Purpose::kTensorMaxima,  Purpose::kRowSums};

/// Why a unit stalled.
struct StallReason {
  enum class Cause : std::uint8_t {
    kToken,             ///< of the command of `producer` for `producer_op`
    kScratchpadSpace,   ///< held by commands before it
    kAccumulatorSpace,  ///< likewise, in the accumulator buffer
    kRandomDelay,       ///< test mode (stall_seed)
  };
  UnitKind unit = UnitKind::kLoad;
  UnitState state = UnitState::kIdle;  ///< one of the three stalls
  std::uint32_t op = 0;                ///< of the waiting command
  Cause cause = Cause::kToken;
  UnitKind producer = UnitKind::kLoad;  ///< kToken only, as the next two
  std::uint32_t producer_op = 0;
  Purpose what = Purpose::kOther;
  friend auto operator<=>(const StallReason&, const StallReason&) = default;
};
inline constexpr std::array<std::string_view, 4> kStallCauseNames = {"token", "scratchpad_space", "accumulator_space",
                                                                     "random_delay"};
/// Cycles by reason; over all reasons of a unit they add up to its three stalls.
using StallAccount = std::map<StallReason, std::uint64_t>;

/// Where the cycles of one unit went; the five sum to the run's total.
struct UnitCycles {
  std::uint64_t busy = 0;
  std::uint64_t input_stall = 0;   ///< waiting for data that a load DMA brings
  std::uint64_t output_stall = 0;  ///< waiting for scratchpad space
  std::uint64_t token_wait = 0;    ///< waiting for another unit's result
  std::uint64_t idle = 0;          ///< no command
  std::uint64_t total() const { return busy + input_stall + output_stall + token_wait + idle; }
  friend bool operator==(const UnitCycles&, const UnitCycles&) = default;
};

/// Cycle account of a run of the machine, or of a variant: sums over its passes and windows.
struct CycleReport {
  struct OpCycles {
    std::uint64_t start = 0;  ///< of its first command, relative to the run
    std::uint64_t end = 0;    ///< of its last command
    std::array<std::uint64_t, kNumUnits> busy{};
    std::array<std::uint64_t, kNumPurposes> by_purpose{};  ///< busy cycles of all units; sums to that of `busy`
    std::uint64_t dram_bytes = 0;
  };
  std::uint64_t total = 0;
  std::array<UnitCycles, kNumUnits> units{};
  std::array<std::array<std::uint64_t, kNumUnits>, kNumPurposes> purposes{};  ///< busy cycles; sums to units' busy
  StallAccount stalls;
  std::vector<OpCycles> ops;  ///< by op index; of several runs: start and end of the first
  std::uint64_t scratchpad_peak_bytes = 0;
  std::uint64_t accumulator_peak_bytes = 0;  ///< of the accumulator buffer
};

/// How an op was cut into blocks, in the first pass of the first window.
struct TileChoice {
  std::uint64_t rows = 0;               ///< tokens a block
  std::uint64_t cols = 0;               ///< output channels a block; 0: all
  std::uint64_t scratchpad_bytes = 0;   ///< one block, with what is held while blocks pass
  std::uint64_t accumulator_bytes = 0;  ///< of one block's results
  std::uint64_t weight_passes = 0;      ///< how often all weights are read; 0: none are
  bool double_buffered = false;         ///< a second block fits beside it
};

/// Operations of one kind and what they cost.
struct EnergyLine {
  units::OperationKey operation;
  std::uint64_t count = 0;
  double pj_each = 0;
  double pj() const { return static_cast<double>(count) * pj_each; }
};

/// Energy of the operations that a run counts; no leakage, no clock, no control.
struct EnergyReport {
  double pj = 0;
  std::array<double, kNumUnits> unit_pj{};
  std::vector<EnergyLine> lines;  ///< by operation and format; they sum to pj
};

struct OpResult {
  std::string name;
  std::string kind;
  numerics::EventLedger events;
  std::uint64_t cycles = 0;  ///< busy cycles of all units for this op, summed
  std::array<std::uint64_t, kNumUnits> unit_cycles{};
  std::uint64_t start = 0;  ///< cycle in which its first command starts, in the first window
  std::uint64_t end = 0;    ///< and its last one ends
  std::array<std::uint64_t, kNumPurposes> purpose_cycles{};  ///< of `cycles`
  std::uint64_t macs = 0;
  std::uint64_t dram_bytes = 0;
  std::array<double, kNumUnits> unit_pj{};
  std::optional<TileChoice> tile;
  double sqnr_db = 0;  ///< 10 log10(sum ref^2 / sum (ref - simulated)^2) over all windows; +inf if equal
  double max_abs = 0;  ///< largest finite magnitude of the simulated output
  double reference_max_abs = 0;
  std::optional<double> norm_scale;                   ///< static scale s of a norm, if one is applied
  int layer = -1;                                     ///< -1: outside the layers
  ExponentHistogram exponents;                        ///< of the simulated output, as stored; masked scores are zeros
  std::map<std::string, QuantizerCounts> quantizers;  ///< by kQuantizerNames; what was not quantized is not there
  std::optional<NormReport> norm;                     ///< norms
  std::optional<OutlierReport> reference_outliers;    ///< linear layers: of the input in the fp32 forward
  std::optional<OutlierReport> array_outliers;        ///< and as it reaches the array's quantizer
  std::optional<GroupScaleReport> group_scales;       ///< linear layers that smooth
  std::string output_sha256;  ///< over the op's output carriers of all windows (binary32, little endian, row major)
};

/// What the passes of one phase (prefill, decode) cost, over all windows; passes run one after the other.
struct PhaseResult {
  std::string name;
  std::uint64_t passes = 0;
  std::uint64_t tokens = 0;
  std::uint64_t cycles = 0;
  std::uint64_t macs = 0;
  std::uint64_t dram_bytes = 0;
  std::array<std::uint64_t, kNumUnits> busy{};
  EnergyReport energy;  ///< counts of every operation sum to the variant's over all phases
};

/// One layer of the model, for tables by depth.
struct LayerResult {
  int layer = 0;
  double sqnr_db = 0;    ///< of the layer's last output, the stream behind it
  std::string worst_op;  ///< of the layer, by sqnr_db
  double worst_sqnr_db = 0;
  numerics::EventCounts events;
};

struct VariantResult {
  std::string name;                             ///< calibration::Variant::canonical_text
  std::map<std::string, std::string> ran_with;  ///< describe_hardware
  double perplexity = 0;                        ///< NaN if logits are not finite
  double sqnr_db = 0;                           ///< of the logits
  double top1_agreement = 0;                    ///< fraction of positions whose largest logit is the reference's
  numerics::EventCounts events;
  std::uint64_t macs = 0;
  double utilization = 0;  ///< MACs / (matrix PEs * dot_width * total cycles)
  CycleReport cycles;
  std::vector<PhaseResult> phases;  ///< prefill and decode, if tokens were decoded; else empty
  EnergyReport energy;
  std::vector<OpResult> ops;
  std::vector<LayerResult> layers;  ///< empty without values
  std::string digest;  ///< SHA-256 over all ops' output_sha256, events by stage, cycles by unit, and total cycles
};

/// Over what a perplexity is the mean.
struct PerplexityBasis {
  std::uint64_t context = 0;            ///< inputs of the longest window
  std::optional<std::uint64_t> stride;  ///< from one window's beginning to the next one's; context: no overlap; none:
                                        ///< it differs
  std::uint64_t scored_tokens = 0;      ///< targets that count; 0: an encoder, without a perplexity
};

/// One replay of a trace on an accelerator.
struct ReplayResult {
  std::map<std::string, std::string>
      provenance;  ///< version, commit, compiler, vector target, config hash, input hashes, seed
  std::string trace_name;
  std::uint64_t num_windows = 0;
  std::uint64_t num_tokens = 0;
  PerplexityBasis basis;
  std::string mode;  ///< "closed_loop" | "open_loop" | "no_values": then all that comes from values is not a number,
                     ///< zero or empty
  double residual_gain = 1;
  double channel_gain = 1;
  std::int64_t channels = 0;
  std::string accelerator_name;
  std::map<std::string, std::string> accelerator_keys;  ///< resolved configuration, full key -> value text
  double clock_mhz = 0;
  std::map<std::string, double> area_um2;  ///< by unit and memory, of operators and cells
  double reference_perplexity = 0;         ///< of the fp32 forward
  std::vector<VariantResult> variants;
};

}  // namespace guardbit::sim
