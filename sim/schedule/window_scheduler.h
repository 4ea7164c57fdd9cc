#pragma once
/// The working state of schedule_tokens(); one method per kind of op.
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/units/arithmetic.h"
#include "models/units/kv_cache_unit.h"
#include "sim/schedule/command_builder.h"
#include "sim/schedule/scheduler.h"
#include "sim/schedule/tiling.h"

namespace guardbit::sim {

/// Of activations.scale, which a variant sets and no file: the scales come from the variant's calibration text.
inline constexpr std::string_view kStaticScale = "static";

/// Bytes of `count` elements of a format of that many bits, rounded up.
constexpr std::uint64_t packed_bytes(std::uint64_t count, int bits) {
  return (count * static_cast<std::uint64_t>(bits) + 7) / 8;
}

/// Bits of one element of an operand in the scratchpad.
inline int activation_bits(const units::MatrixMode& mode) {
  return mode.integer ? mode.activation_bits : mode.activation.storage_bits();
}
inline int weight_bits(const units::MatrixMode& mode) {
  return mode.integer ? mode.weight_bits : mode.weight.storage_bits();
}

/// Bytes of one result in the accumulator buffer: of the outer accumulator's format, or the PE's if there is none.
std::uint64_t accumulator_bytes(const units::MatrixMode& mode);

class WindowScheduler {
 public:
  WindowScheduler(const transformer::Model<float>& model, const units::AcceleratorConfig& config, Range tokens,
                  std::size_t window_tokens, ValueEngine& engine);
  std::vector<Command> run();
  const TileChoices& tiles() const { return tiles_; }

 private:
  using Tokens = CommandBuilder::Tokens;

  /// One linear layer while it is scheduled.
  struct Linear {
    std::size_t index = 0;
    const transformer::Op* op = nullptr;
    std::uint64_t depth = 0;    ///< K
    std::uint64_t columns = 0;  ///< N
    units::MatrixMode mode;
    LinearBytes bytes;
    LinearTile tile;
    std::uint32_t quantize_passes = 0;
    std::string input;      ///< tensor that the blocks load: the op's input, or its rotated copy
    Tokens input_ready;     ///< beyond the producer's tokens: statistics over all rows
    bool prepared = false;  ///< rotation and statistics were done in a pass of their own
  };

  /// One (scores, softmax, values) triple while it is scheduled.
  struct Attention {
    std::size_t scores = 0;
    std::size_t softmax = 0;
    std::size_t values = 0;
    units::MatrixMode mode;
    std::uint64_t head_bytes = 0;  ///< one row of q (or output) of one head
    std::uint64_t key_bytes = 0;   ///< one row of k or v of one head, as it lies in the cache
    std::uint64_t held_bytes = 0;  ///< scratchpad of k and v of one head: the cache's, and dequantized
    std::uint64_t row_bytes = 0;   ///< scratchpad of one query row: q, scores, output
    std::uint64_t rows_per_block = 0;
    std::uint32_t operand_passes = 0;
    std::uint32_t cache_passes = 0;  ///< of k and v before they are operands: 1 if they are dequantized
  };
  /// A block whose scores are issued and whose values are not.
  struct PendingValues {
    std::size_t head = 0;
    Range rows;
    TokenId probabilities = 0;
    std::uint64_t reserved_bytes = 0;
  };

  void place_tensors();
  bool fits_scratchpad(std::uint64_t bytes) const {
    return bytes <= static_cast<std::uint64_t>(config_.scratchpad.bytes);
  }
  std::uint64_t row_width(const std::string& tensor) const;
  int storage_bits(const std::string& tensor) const;
  std::uint64_t row_bytes(const std::string& tensor) const;
  std::uint64_t kept_row_bytes(const std::string& tensor) const;
  bool is_quantized(const std::string& tensor) const;
  std::uint64_t group_bytes() const;
  /// Passes of the vector unit over what it writes: maximum (and minimum), codes.
  std::uint32_t quantizer_passes(const std::string& tensor) const { return is_quantized(tensor) ? 2 : 0; }

  /// Calls body(Range) for consecutive blocks of the pass's tokens.
  void for_token_blocks(std::uint64_t rows_per_block, const std::function<void(Range)>& body) const;

  void schedule_op(std::size_t index);
  void schedule_rows(std::size_t index);
  Work row_work(const transformer::Op& op, std::uint64_t rows) const;

  void schedule_linear(std::size_t index);
  Linear make_linear(std::size_t index) const;
  TileChoice tile_choice(const Linear& linear) const;
  void prepare_linear(Linear& linear);
  void linear_rows(const Linear& linear, Range rows);
  TokenId linear_operands(const Linear& linear, Range rows, TokenId loaded);
  MatrixWork matrix_work(const units::MatrixMode& mode, const units::OperandConfig& operands,
                         const units::AccumulatorConfig& accumulator, std::uint64_t m, std::uint64_t n,
                         std::uint64_t k) const;
  std::optional<std::uint64_t> chunk_without_groups(const MatrixWork& work, transformer::OperandClass kind) const;

  /// Keys that some query of the block sees: causal ones up to its last row, else all of the pass, which is then the
  /// whole window.
  std::uint64_t keys_of_block(const transformer::Op& op, Range rows) const {
    return op.causal ? rows.end : tokens_.end;
  }
  void schedule_attention(std::size_t scores_index);
  VectorWork softmax_work(std::uint64_t num_rows, std::uint64_t num_keys) const;
  void attention_kv_head(const Attention& attention, std::size_t kv_head, std::size_t num_kv_heads);
  PendingValues attention_scores(const Attention& attention, std::size_t head, Range rows, TokenId operands);
  void attention_values(const Attention& attention, const PendingValues& pending, std::uint64_t free_bytes);

  const transformer::Model<float>& model_;
  const units::AcceleratorConfig& config_;
  const Range tokens_;               ///< of this pass
  const std::size_t window_tokens_;  ///< rows of every tensor in DRAM
  ValueEngine& engine_;
  TileChoices tiles_;
  CommandBuilder builder_;
  std::map<std::string, std::uint64_t> widths_;  ///< elements per row of every tensor
  std::map<std::string, int> bits_;  ///< storage bits of every tensor; of a quantized one: before and after the cache
  std::optional<units::KvCacheFormat> kv_cache_;  ///< if the cache is quantized
};

/// Operand and accumulator sections of an operand class.
const units::OperandConfig& operand_config(const units::AcceleratorConfig& config, transformer::OperandClass kind);
const units::AccumulatorConfig& accumulator_config(const units::AcceleratorConfig& config,
                                                   transformer::OperandClass kind);

/// Arithmetic of a linear op: the smoothing group applies where the op smooths its input.
units::MatrixMode linear_mode(const units::AcceleratorConfig& config, const transformer::Op& op);
/// Whether the op's activations are integers on a scale that is known offline.
bool has_static_scale(const units::AcceleratorConfig& config, const transformer::Op& op);

/// Of that arithmetic, groups and zero points alone: what check_groups() looks at before there is a mode.
units::MatrixMode linear_groups(const units::AcceleratorConfig& config, const transformer::Op& op);

/// Bits of one weight of a linear layer in DRAM and scratchpad: of codes, or of the array's operand.
int stored_weight_bits(const units::MatrixMode& mode, const transformer::Op& op);
/// Bytes of one output channel there: `depth` weights, for groups their fp32 scales, zero points in as many bits as a
/// code, and for activations with a zero point the codes' sum over every chunk in 32 bits. A single scale per output
/// channel is not counted.
std::uint64_t weight_column_bytes(const units::MatrixMode& mode, const transformer::Op& op, std::uint64_t depth);

/// True if some attention op reads the tensor as keys or values.
bool is_cached(const transformer::Model<float>& model, const std::string& tensor);

/// Storage format name of the tensor that an op writes: residual stream, keys and values, or activation. Keys and
/// values of an integer cache are quantized from the activation format and dequantized into it.
const std::string& storage_format(const transformer::Model<float>& model, const units::AcceleratorConfig& config,
                                  const transformer::Op& op);

}  // namespace guardbit::sim
