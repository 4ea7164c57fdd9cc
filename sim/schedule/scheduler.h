#pragma once
/// From the ops of a model and one window of tokens to the commands of the machine: tiles, transfers, and the tokens
/// between them. Knows shapes and costs, no values.
///
/// Every tensor between ops lives in DRAM. A block reserves all the scratchpad it will need with its first load; loads
/// are issued in program order, so a block that has started can always finish and no order of events can deadlock.
#include <optional>
#include <vector>

#include "models/transformer/model.h"
#include "models/units/accelerator_config.h"
#include "sim/modules/command.h"
#include "sim/schedule/value_engine.h"

namespace guardbit::sim {

/// How each op was cut into blocks, by op index; none where another op's blocks include it (softmax, values).
using TileChoices = std::vector<std::optional<TileChoice>>;

/// Commands of one forward pass over the tokens `tokens` of a window of `window_tokens`: prefill (many tokens) or a
/// decode step (one). Keys and values of the tokens before it are in DRAM already, where an earlier pass stored them;
/// queries see the keys up to their own. `engine` must outlive the commands. `tiles`, if given, receives the block
/// sizes. Throws UserError kConfiguration if the smallest block of some op does not fit the scratchpad or the
/// accumulator buffer, naming for each of these memories the smallest size that would do for every op.
std::vector<Command> schedule_tokens(const transformer::Model<float>& model, const units::AcceleratorConfig& config,
                                     Range tokens, std::size_t window_tokens, ValueEngine& engine,
                                     TileChoices* tiles = nullptr);

/// Multiply-accumulates that the matrix unit executes, by op. Causal attention skips keys after the last query of a
/// block, so its count depends on the block size.
std::vector<std::uint64_t> multiply_accumulates(const std::vector<Command>& commands, std::size_t num_ops);

}  // namespace guardbit::sim
