#pragma once
/// The described hardware: one struct per section of an accelerator file, each listing its keys once in visit_fields().
/// Values only; reading TOML is sim/config, meaning in arithmetic is arithmetic.h and the units, meaning in cycles is
/// sim/modules.
#include <cstdint>
#include <string>
#include <vector>

#include "models/units/cost_config.h"
#include "models/units/field_info.h"

namespace guardbit::units {

inline constexpr std::array<std::string_view, 3> kDataflowValues = {"os", "ws", "is"};
inline constexpr std::array<std::string_view, 2> kPolicyValues = {"serial", "overlap"};
inline constexpr std::array<std::string_view, 2> kEdgeValues = {"full", "used"};
inline constexpr std::array<std::string_view, 4> kReduceValues = {"sequential", "tree", "aligned", "fixed"};
inline constexpr std::array<std::string_view, 3> kStatisticsValues = {"one_pass", "two_pass", "welford"};
inline constexpr std::array<std::string_view, 2> kEpsilonValues = {"raw", "rescaled"};
inline constexpr std::array<std::string_view, 2> kScaleValues = {"exact", "pow2"};
inline constexpr std::array<std::string_view, 2> kSmoothStatisticsValues = {"sequence", "tile"};
inline constexpr std::array<std::string_view, 2> kOrderValues = {"descending", "ascending"};
inline constexpr std::array<std::string_view, 2> kSoftmaxValues = {"two_pass", "online"};
inline constexpr std::array<std::string_view, 2> kExponentialValues = {"polynomial", "table"};
inline constexpr std::array<std::string_view, 2> kOperandScaleValues = {"none", "dynamic"};

/// [accumulator.buffer]: the outer accumulator behind the PEs.
struct BufferConfig {
  std::string format;  // "" = none
  std::string rounding = "rne";
  std::string overflow = "infinity";
  std::string subnormals = "keep";
  std::int64_t promote_every = 0;

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"format", "", "Format of the outer accumulator; empty for none, then results stay in the PE's."},
          self.format, FormatName{.empty = true});
    visit(FieldInfo{"rounding", "", "Rounding of an addition into the outer accumulator."}, self.rounding,
          OneOf{kRoundingValues});
    visit(FieldInfo{"overflow", "", "What an overflow of the outer accumulator delivers."}, self.overflow,
          OneOf{kOverflowValues});
    visit(FieldInfo{"subnormals", "", "Whether tiny results of the outer accumulator are kept or become zero."},
          self.subnormals, OneOf{kSubnormalValues});
    visit(FieldInfo{"promote_every", "elements",
                    "Products per chunk before the PE's sum is added to the outer accumulator (0: the dataflow's own "
                    "chunk; os: all of K)."},
          self.promote_every, IntRange{0, 65536});
  }
};

/// [accumulator]: the sum inside a PE.
struct AccumulatorConfig {
  std::string format = "fp32";
  std::string rounding = "rne";
  std::string overflow = "infinity";
  std::string int_overflow = "wrap";
  std::string subnormals = "keep";
  std::string product = "exact";
  std::string reduce = "sequential";
  std::int64_t extra_bits = 24;
  std::string align_rounding = "rtz";
  bool align_accumulator = true;
  std::string fixed_format = "q64.64";
  std::string fixed_rounding = "rtz";
  std::string fixed_overflow = "wrap";
  std::int64_t latency_cycles = 0;
  std::int64_t interleave = 1;
  BufferConfig buffer;

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"format", "", "Format of the accumulator in the PE, a float or an intN."}, self.format,
          FormatName{.integers = true});
    visit(FieldInfo{"rounding", "", "Rounding of every addition into a float accumulator."}, self.rounding,
          OneOf{kRoundingValues});
    visit(FieldInfo{"overflow", "", "What an overflow of a float accumulator delivers."}, self.overflow,
          OneOf{kOverflowValues});
    visit(FieldInfo{"int_overflow", "", "Whether an intN accumulator wraps or saturates."}, self.int_overflow,
          OneOf{kIntOverflowValues});
    visit(FieldInfo{"subnormals", "", "Whether tiny results of the accumulator are kept or become zero."},
          self.subnormals, OneOf{kSubnormalValues});
    visit(FieldInfo{"product", "", "\"exact\" (fused multiply-add), or the format into which each product is rounded."},
          self.product, FormatName{.exact = true});
    visit(
        FieldInfo{"reduce", "",
                  "How the dot_width products that reach a PE together meet the accumulator: one after the other, "
                  "through a tree of adders, aligned to the largest exponent and summed exactly (tensor cores), or one "
                  "after the other in a fixed-point register (Kulisch)."},
        self.reduce, OneOf{kReduceValues});
    visit(
        FieldInfo{"extra_bits", "bits", "aligned: fraction bits F kept below the largest exponent of a step's terms."},
        self.extra_bits, IntRange{1, 64});
    visit(FieldInfo{"align_rounding", "",
                    "aligned: what becomes of bits below those; rtz cuts sign and magnitude, rdn two's complement."},
          self.align_rounding, OneOf{kDeterministicRoundingValues});
    visit(FieldInfo{"align_accumulator", "",
                    "aligned: whether the accumulator is aligned and summed with the products, or takes in their sum "
                    "afterwards."},
          self.align_accumulator, AnyBool{});
    visit(FieldInfo{"fixed_format", "",
                    "fixed: the register; format is the float into which its sum is rounded at the end of a chunk."},
          self.fixed_format, FixedFormatName{});
    visit(FieldInfo{"fixed_rounding", "", "fixed: rounding of each product to a multiple of 2^-F."},
          self.fixed_rounding, OneOf{kDeterministicRoundingValues});
    visit(FieldInfo{"fixed_overflow", "", "fixed: whether the register wraps or saturates."}, self.fixed_overflow,
          OneOf{kIntOverflowValues});
    visit(FieldInfo{"latency_cycles", "cycles",
                    "Cycles of one addition; 0 takes the default of the format: integer and fixed point 1, "
                    "8-bit float 2, 16-bit float 3, wider 4."},
          self.latency_cycles, IntRange{0, 64});
    visit(FieldInfo{"interleave", "", "Accumulators used in turn to hide the latency; changes the order of summation."},
          self.interleave, IntRange{1, 16});
  }
};

/// Operands of one class of matrix products: linear layers take them from [array], attention from [attention], the
/// output head from [head].
struct OperandConfig {
  std::string activation = "fp16";
  std::string weight = "fp16";
  std::string scale = "none";
  double operand_max = 0;
  std::int64_t cycles_per_mac = 1;

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"activation", "", "Operand format of activations, a float or int2..int8."}, self.activation,
          FormatName{.integers = true});
    visit(FieldInfo{"weight", "", "Operand format of weights, a float or int2..int8 (integers on both sides or none)."},
          self.weight, FormatName{.integers = true});
    visit(FieldInfo{"scale", "",
                    "Float operands: \"none\" converts values as they are, \"dynamic\" scales each token and "
                    "each output channel so that its largest magnitude becomes operand_max. Integer "
                    "operands are always scaled."},
          self.scale, OneOf{kOperandScaleValues});
    visit(FieldInfo{"operand_max", "",
                    "Magnitude of a scaled float operand's largest element (0: the format's largest "
                    "finite value)."},
          self.operand_max, RealRange{0, 1e38});
    visit(FieldInfo{"cycles_per_mac", "cycles", "Cycles a PE needs for one multiplication of these operands."},
          self.cycles_per_mac, IntRange{1, 256});
  }
};

inline constexpr std::array<std::string_view, 2> kActivationScaleValues = {"token", "tensor"};

/// [array]: how integer activations of linear layers are quantized beyond their format.
struct ActivationQuantizerConfig {
  std::string scale = "token";
  std::int64_t group = 0;
  bool zero_point = false;

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"activation_scale", "",
                    "Integer activations: a scale for each token, or one for the whole tensor, which takes a pass over "
                    "all tokens before the first is quantized."},
          self.scale, OneOf{kActivationScaleValues});
    visit(FieldInfo{"activation_group", "elements",
                    "Integer activations: channels of a token that share a scale, which the outer accumulator applies "
                    "(0: one scale per token)."},
          self.group, IntRange{0, 65536});
    visit(FieldInfo{"activation_zero_point", "",
                    "Integer activations have a zero point beside each scale (asymmetric); else codes are symmetric."},
          self.zero_point, AnyBool{});
  }
};

/// [array]: R x C processing elements.
struct ArrayConfig {
  std::int64_t rows = 32;
  std::int64_t cols = 32;
  std::string dataflow = "os";
  std::string policy = "overlap";
  std::string edge = "full";
  std::int64_t dot_width = 1;

  /// "ws", "is": one operand stays in the PE and every sum passes down a column of rows * dot_width products.
  bool sums_flow_down() const { return dataflow != "os"; }
  std::int64_t column_products() const { return rows * dot_width; }

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"rows", "PEs", "Rows R of the array."}, self.rows, IntRange{1, 1024});
    visit(FieldInfo{"cols", "PEs", "Columns C of the array."}, self.cols, IntRange{1, 1024});
    visit(FieldInfo{"dataflow", "",
                    "Output stationary (sums stay in the PE), weight stationary or input stationary (weights or "
                    "activations stay in the PE, sums flow down its column)."},
          self.dataflow, OneOf{kDataflowValues});
    visit(FieldInfo{"policy", "", "Whether folds run one after the other or overlap (docs/timing.md)."}, self.policy,
          OneOf{kPolicyValues});
    visit(FieldInfo{"edge", "", "Whether a ragged fold is charged for the full array or for the used part."}, self.edge,
          OneOf{kEdgeValues});
    visit(FieldInfo{"dot_width", "", "Products a PE multiplies and reduces per step, a power of two."}, self.dot_width,
          IntRange{1, 64});
  }
};

/// [norm.accumulator]: sum and sum of squares.
struct NormAccumulatorConfig {
  std::string format = "fp32";
  std::string rounding = "rne";
  std::string overflow = "infinity";
  std::string subnormals = "keep";
  std::int64_t interleave = 1;

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"format", "", "Format of squares, tree nodes and accumulators of the norm's statistics."},
          self.format, FormatName{});
    visit(FieldInfo{"rounding", "", "Rounding of those operations."}, self.rounding, OneOf{kRoundingValues});
    visit(FieldInfo{"overflow", "", "What an overflow of those operations delivers."}, self.overflow,
          OneOf{kOverflowValues});
    visit(FieldInfo{"subnormals", "", "Whether tiny results of those operations are kept or become zero."},
          self.subnormals, OneOf{kSubnormalValues});
    visit(FieldInfo{"interleave", "", "Accumulators behind the lane tree, used in turn and merged at the end."},
          self.interleave, IntRange{1, 16});
  }
};

/// [norm.rsqrt]: lookup table and Newton steps for 1/sqrt.
struct RsqrtConfig {
  std::int64_t table_bits = 6;
  std::int64_t newton_steps = 2;
  std::string format = "fp32";

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"table_bits", "", "The lookup table has 2^table_bits entries."}, self.table_bits, IntRange{2, 12});
    visit(FieldInfo{"newton_steps", "", "Newton-Raphson steps after the lookup."}, self.newton_steps, IntRange{0, 4});
    visit(FieldInfo{"format", "", "Format of the table's entries and of each operation of a Newton step."}, self.format,
          FormatName{});
  }
};

/// [norm]: LayerNorm and RMSNorm unit.
struct NormConfig {
  std::int64_t lanes = 16;
  std::string input = "fp16";
  std::string statistics = "one_pass";
  std::string arithmetic = "fp32";
  std::string epsilon = "rescaled";
  std::string scale = "pow2";
  NormAccumulatorConfig accumulator;
  RsqrtConfig rsqrt;

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"lanes", "elements", "Elements read per cycle; width of the adder tree, a power of two."},
          self.lanes, IntRange{2, 64});
    visit(FieldInfo{"input", "", "Format of the input after the static scale 1/s."}, self.input, FormatName{});
    visit(
        FieldInfo{
            "statistics", "",
            "LayerNorm: one pass over sum and sum of squares, mean first and centred squares, or Welford's update "
            "in every lane. RMSNorm has no mean and always takes one pass."},
        self.statistics, OneOf{kStatisticsValues});
    visit(FieldInfo{"arithmetic", "", "Format of mean, variance, epsilon and of the normalization itself."},
          self.arithmetic, FormatName{});
    visit(FieldInfo{"epsilon", "", "Whether epsilon is divided by s squared together with the input."}, self.epsilon,
          OneOf{kEpsilonValues});
    visit(FieldInfo{"scale", "",
                    "Static (slanc) and dynamic (dynamic_norm) scales as computed, or rounded up to a power of two (an "
                    "exponent subtract that costs no cycle)."},
          self.scale, OneOf{kScaleValues});
  }
};

/// [smooth]: runtime smoothing of RRS.
struct SmoothConfig {
  std::int64_t lanes = 32;
  std::int64_t group = 128;
  bool sort = true;
  std::string order = "descending";
  std::string scale = "exact";
  std::string statistics = "sequence";

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"lanes", "elements", "Elements per cycle of channel maxima and division."}, self.lanes,
          IntRange{1, 4096});
    visit(FieldInfo{"group", "elements", "Channels that share one smoothing scale."}, self.group, IntRange{1, 65536});
    visit(FieldInfo{"sort", "", "Sort channels by their maximum before they are grouped."}, self.sort, AnyBool{});
    visit(FieldInfo{"order", "", "Order of the groups in the outer accumulator."}, self.order, OneOf{kOrderValues});
    visit(FieldInfo{"scale", "", "Group scales as measured, or rounded up to a power of two."}, self.scale,
          OneOf{kScaleValues});
    visit(FieldInfo{"statistics", "",
                    "Tokens whose channel maxima are taken together: all of the pass (the window; of a decode step its "
                    "one token), or those of one block of the op, which needs no pass of its own over the others."},
          self.statistics, OneOf{kSmoothStatisticsValues});
  }
};

/// [rotate]: fast Hadamard unit.
struct RotateConfig {
  std::int64_t lanes = 32;
  std::string format = "fp16";

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"lanes", "butterflies", "Butterflies per cycle."}, self.lanes, IntRange{1, 4096});
    visit(FieldInfo{"format", "", "Format into which every butterfly and the final scale are rounded."}, self.format,
          FormatName{});
  }
};

/// [vector]: quantize, softmax, activation, residual, dequantization.
struct VectorConfig {
  std::int64_t lanes = 32;
  std::int64_t exp_cycles = 1;

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"lanes", "elements", "Elements per cycle of an element-wise operation."}, self.lanes,
          IntRange{1, 4096});
    visit(FieldInfo{"exp_cycles", "cycles", "Initiation interval of an exponential in one lane."}, self.exp_cycles,
          IntRange{1, 64});
  }
};

/// [softmax]: attention's probabilities.
struct SoftmaxConfig {
  std::string method = "two_pass";
  std::int64_t block = 32;
  std::string exponential = "polynomial";
  std::int64_t table_bits = 8;
  std::string format = "fp32";

  static void visit_fields(auto& self, auto&& visit) {
    visit(
        FieldInfo{"method", "",
                  "Maximum of the row first, or online: a running maximum, and a sum that is rescaled when it rises."},
        self.method, OneOf{kSoftmaxValues});
    visit(FieldInfo{"block", "elements", "Online: scores whose maximum is taken together."}, self.block,
          IntRange{1, 4096});
    visit(FieldInfo{"exponential", "",
                    "Binary32 polynomial (1 ulp), or a table of powers of two with linear interpolation."},
          self.exponential, OneOf{kExponentialValues});
    visit(FieldInfo{"table_bits", "", "The table has 2^table_bits intervals between two powers of two."},
          self.table_bits, IntRange{2, 12});
    visit(FieldInfo{"format", "", "Format of differences, exponentials, their sum, its rescaling and the quotients."},
          self.format, FormatName{});
  }
};

/// [storage]: formats of tensors between units.
struct StorageConfig {
  std::string activation = "fp16";
  std::string residual = "fp16";
  std::string kv_cache = "fp16";
  bool kv_cache_zero_point = false;
  std::string kv_cache_scale = "fp16";

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"activation", "", "Format of results of norms, linear layers, activations and attention."},
          self.activation, FormatName{});
    visit(FieldInfo{"residual", "", "Format of the residual stream."}, self.residual, FormatName{});
    visit(
        FieldInfo{
            "kv_cache", "",
            "Format of keys and values in the cache: a float, or int2..int8 with a scale for each token and head, "
            "quantized when written and dequantized to the activation format when read."},
        self.kv_cache, FormatName{.integers = true});
    visit(
        FieldInfo{"kv_cache_zero_point", "",
                  "An integer cache has a zero point for each token and head (asymmetric); else codes are symmetric."},
        self.kv_cache_zero_point, AnyBool{});
    visit(FieldInfo{"kv_cache_scale", "", "Format of an integer cache's scales."}, self.kv_cache_scale, FormatName{});
  }
};

/// [scratchpad], [dma], [dram], [sequencer], [clock].
struct ScratchpadConfig {
  std::int64_t bytes = 262144;
  std::int64_t banks = 8;
  std::int64_t bank_bytes_per_cycle = 16;

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"bytes", "bytes", "Capacity shared by operands and results in flight."}, self.bytes,
          IntRange{1024, std::int64_t{1} << 34});
    visit(FieldInfo{"banks", "", "Banks, each with one port."}, self.banks, IntRange{1, 1024});
    visit(FieldInfo{"bank_bytes_per_cycle", "bytes/cycle", "Width of a bank's port."}, self.bank_bytes_per_cycle,
          IntRange{1, 1024});
  }
};
struct AccumulatorBufferConfig {
  std::int64_t bytes = 0;

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"bytes", "bytes",
                    "Capacity for the array's results that no vector command has read yet (0: not limited)."},
          self.bytes, IntRange{0, std::int64_t{1} << 34});
  }
};
struct DmaConfig {
  std::int64_t channels = 1;
  std::int64_t burst_bytes = 256;

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"channels", "",
                    "Commands of each DMA engine that may wait for data or space at once, so that one that waits does "
                    "not hold up the next."},
          self.channels, IntRange{1, 64});
    visit(FieldInfo{"burst_bytes", "bytes", "Largest TLM transaction of a DMA engine."}, self.burst_bytes,
          IntRange{16, 65536});
  }
};
struct DramConfig {
  double bandwidth_bytes_per_cycle = 32;
  std::int64_t latency_cycles = 100;
  std::int64_t row_bytes = 2048;
  std::int64_t row_miss_cycles = 30;

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"bandwidth_bytes_per_cycle", "bytes/cycle", "Peak transfer rate."}, self.bandwidth_bytes_per_cycle,
          RealRange{1.0 / 1024, 65536});
    visit(FieldInfo{"latency_cycles", "cycles", "From request to first byte of a row hit."}, self.latency_cycles,
          IntRange{0, 100000});
    visit(FieldInfo{"row_bytes", "bytes", "Size of a DRAM row."}, self.row_bytes, IntRange{64, 1 << 20});
    visit(FieldInfo{"row_miss_cycles", "cycles", "Extra cycles when a burst opens another row."}, self.row_miss_cycles,
          IntRange{0, 100000});
  }
};
struct SequencerConfig {
  std::int64_t queue_depth = 8;

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"queue_depth", "commands", "Depth of each unit's command queue."}, self.queue_depth,
          IntRange{1, 1024});
  }
};
struct ClockConfig {
  double mhz = 1000;

  static void visit_fields(auto& self, auto&& visit) {
    visit(FieldInfo{"mhz", "MHz", "Clock frequency; turns cycles into seconds in reports."}, self.mhz,
          RealRange{0.001, 100000});
  }
};

/// A whole accelerator. Section names are the first argument of the visits, in the order of the key reference.
struct AcceleratorConfig {
  ArrayConfig array;
  OperandConfig linear;
  ActivationQuantizerConfig activations;
  AccumulatorConfig accumulator;
  OperandConfig attention;
  AccumulatorConfig attention_accumulator;
  OperandConfig head;
  AccumulatorConfig head_accumulator;
  NormConfig norm;
  SmoothConfig smooth;
  RotateConfig rotate;
  VectorConfig vector;
  SoftmaxConfig softmax;
  StorageConfig storage;
  ScratchpadConfig scratchpad;
  AccumulatorBufferConfig accumulator_buffer;
  DmaConfig dma;
  DramConfig dram;
  SequencerConfig sequencer;
  ClockConfig clock;
  EnergyConfig energy;
  AreaConfig area;

  /// visit(section name as in TOML, struct) for every section; several structs may share a section.
  static void visit_sections(auto& self, auto&& visit) {
    visit("array", self.array);
    visit("array", self.linear);  // activation, weight, scale, operand_max, cycles_per_mac of linear layers
    visit("array", self.activations);
    visit("accumulator", self.accumulator);
    visit("accumulator.buffer", self.accumulator.buffer);
    visit("attention", self.attention);
    visit("attention.accumulator", self.attention_accumulator);
    visit("attention.accumulator.buffer", self.attention_accumulator.buffer);
    visit("head", self.head);
    visit("head.accumulator", self.head_accumulator);
    visit("head.accumulator.buffer", self.head_accumulator.buffer);
    visit("norm", self.norm);
    visit("norm.accumulator", self.norm.accumulator);
    visit("norm.rsqrt", self.norm.rsqrt);
    visit("smooth", self.smooth);
    visit("rotate", self.rotate);
    visit("vector", self.vector);
    visit("softmax", self.softmax);
    visit("storage", self.storage);
    visit("scratchpad", self.scratchpad);
    visit("accumulator_buffer", self.accumulator_buffer);
    visit("dma", self.dma);
    visit("dram", self.dram);
    visit("sequencer", self.sequencer);
    visit("clock", self.clock);
    visit("energy", self.energy);
    visit("area", self.area);
  }

  /// Rules between keys, all violations at once; keys are full ("accumulator.buffer.promote_every").
  std::vector<ConfigProblem> cross_field_problems() const;
};

}  // namespace guardbit::units
