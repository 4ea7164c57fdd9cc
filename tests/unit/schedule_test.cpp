// The schedule covers every op once, in an order that respects what each step needs, within the scratchpad.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "models/calibration/variant.h"
#include "sim/base/error.h"
#include "sim/schedule/scheduler.h"
#include "sim/schedule/tiling.h"
#include "tests/support/random_models.h"
#include "tests/support/recording_engine.h"

namespace guardbit::sim {
namespace {

using transformer::Op;
using transformer::OpKind;

struct Scheduled {
  transformer::Model<float> model;
  std::vector<Command> commands;
  std::unique_ptr<tests::RecordingEngine> engine;
};

units::AcceleratorConfig small_config() {
  units::AcceleratorConfig config;
  config.array.rows = 4;
  config.array.cols = 8;
  config.linear.activation = config.linear.weight = "int4";
  config.accumulator.format = "int32";
  config.accumulator.buffer.format = "fp16";
  config.smooth.group = 8;
  return config;
}

Scheduled schedule(transformer::Model<float> model, const std::string& variant, const units::AcceleratorConfig& config,
                   Range tokens) {
  Scheduled scheduled{.model = std::move(model), .commands = {}, .engine = nullptr};
  calibration::apply_variant(variant, scheduled.model, {});
  scheduled.engine = std::make_unique<tests::RecordingEngine>(tokens);
  scheduled.engine->heads_per_kv_head =
      static_cast<std::size_t>(scheduled.model.shape.num_heads / scheduled.model.shape.num_kv_heads);
  for (std::size_t index = 0; index < scheduled.model.ops.size(); ++index) {
    if (scheduled.model.ops[index].rotation.size > 0) scheduled.engine->rotates[index] = true;
    if (scheduled.model.ops[index].smooth) scheduled.engine->smooths[index] = true;
  }
  scheduled.commands = schedule_tokens(scheduled.model, config, tokens, tokens.end + 1, *scheduled.engine);
  return scheduled;
}

/// Runs the commands one by one in program order: tokens must be there, scratchpad space must suffice.
void run_in_order(const Scheduled& scheduled, const units::AcceleratorConfig& config) {
  std::vector<bool> available(scheduled.commands.size(), false);
  std::uint64_t used = 0;
  for (const Command& command : scheduled.commands) {
    for (const TokenId token : command.waits) ASSERT_TRUE(available.at(token)) << "token " << token;
    used += command.allocate_bytes;
    ASSERT_LE(used, static_cast<std::uint64_t>(config.scratchpad.bytes));
    ASSERT_TRUE(command.allocate_bytes == 0 || command.unit == UnitKind::kLoad) << "only loads reserve space";
    if (command.compute) command.compute();
    for (const std::uint64_t bytes : command.frees) {
      ASSERT_GE(used, bytes);
      used -= bytes;
    }
    ASSERT_FALSE(available.at(command.signals));
    available[command.signals] = true;
  }
  EXPECT_EQ(used, 0) << "bytes are never given back";
}

void expect_complete(const Scheduled& scheduled, Range all) {
  const tests::RecordingEngine& engine = *scheduled.engine;
  for (std::size_t index = 0; index < scheduled.model.ops.size(); ++index) {
    const Op& op = scheduled.model.ops[index];
    switch (op.kind) {
      case OpKind::kLinear:
        EXPECT_TRUE(engine.done("epilogue", index, 0, all, {0, scheduled.model.weights.at(op.weight).rows()}))
            << op.name;
        break;
      case OpKind::kScores:
      case OpKind::kSoftmax:
      case OpKind::kValues:
        for (std::size_t head = 0; head < static_cast<std::size_t>(scheduled.model.shape.num_heads); ++head) {
          const char* step = op.kind == OpKind::kScores    ? "scores_epilogue"
                             : op.kind == OpKind::kSoftmax ? "softmax"
                                                           : "values_epilogue";
          EXPECT_TRUE(engine.done(step, index, head, all, {0, 1})) << op.name << " head " << head;
        }
        break;
      case OpKind::kEmbed:
      case OpKind::kNorm:
      case OpKind::kRope:
      case OpKind::kActivation:
      case OpKind::kGate:
      case OpKind::kResidual: EXPECT_TRUE(engine.done("rows", index, 0, all, {0, 1})) << op.name; break;
    }
  }
}

TEST(ScheduleTest, CoversEveryOpOnceWithinTheScratchpad) {
  std::mt19937 random(/*seed=*/20261122);
  for (const tests::RandomModel& source : tests::all_random_models()) {
    for (const char* variant : {"none", "rotate", "rs", "slanc+rrs"}) {
      const bool rotates = std::string_view(variant) == "rotate" || std::string_view(variant) == "slanc+rrs";
      if (rotates && source.shape.family == "bert") continue;  // refused
      for (const std::int64_t bytes : {2048, 4096, 16384, 262144}) {
        units::AcceleratorConfig config = small_config();
        config.scratchpad.bytes = bytes;
        config.smooth.statistics = random() % 2 == 0 ? "tile" : "sequence";
        const std::size_t num_tokens = 1 + random() % 21;
        SCOPED_TRACE(testing::Message() << source.label << " " << variant << " " << bytes << " bytes " << num_tokens
                                        << " tokens");
        try {
          const Scheduled prefill = schedule(source.build(), variant, config, {0, num_tokens});
          run_in_order(prefill, config);
          expect_complete(prefill, {0, num_tokens});
          const Scheduled decode = schedule(source.build(), variant, config, {num_tokens, num_tokens + 1});
          run_in_order(decode, config);
          expect_complete(decode, {num_tokens, num_tokens + 1});
        } catch (const UserError& error) {
          EXPECT_LE(bytes, 4096) << error.what();
          EXPECT_EQ(error.code(), ExitCode::kConfiguration);
        }
      }
    }
  }
}

/// Bytes that the schedule loads and stores, and elements whose channel maxima it takes.
std::pair<std::uint64_t, std::uint64_t> moved_and_searched(const Scheduled& scheduled) {
  std::uint64_t moved = 0;
  std::uint64_t searched = 0;
  for (const Command& command : scheduled.commands) {
    if (const auto* transfer = std::get_if<DmaWork>(&command.work)) moved += transfer->bytes;
    const auto* vector = std::get_if<VectorWork>(&command.work);
    if (vector != nullptr && command.purpose == Purpose::kChannelMaxima) searched += vector->elements * vector->passes;
  }
  return {moved, searched};
}

TEST(ScheduleTest, StatisticsOfATileNeedNoPassOfTheirOwn) {
  const tests::RandomModel source = tests::random_models().front();
  units::AcceleratorConfig config = small_config();
  config.array.rows = 1;  // two blocks of tokens and more
  const Scheduled sequence = schedule(source.build(), "rs", config, {0, 16});
  config.smooth.statistics = "tile";
  const Scheduled tile = schedule(source.build(), "rs", config, {0, 16});
  run_in_order(tile, config);
  expect_complete(tile, {0, 16});
  const auto [sequence_moved, sequence_searched] = moved_and_searched(sequence);
  const auto [tile_moved, tile_searched] = moved_and_searched(tile);
  EXPECT_EQ(tile_searched, sequence_searched) << "every element once";
  std::uint64_t inputs = 0;  // read once more for the maxima of all tokens
  for (const Op& op : tile.model.ops) {
    if (op.smooth) inputs += 16 * tile.model.weights.at(op.weight).cols() * 2;
  }
  EXPECT_EQ(sequence_moved - tile_moved, inputs);
}

TEST(ScheduleTest, CountsMultiplyAccumulatesOfLinearLayers) {
  const tests::RandomModel source = tests::random_models().front();
  const std::size_t num_tokens = 5;
  const Scheduled scheduled = schedule(source.build(), "none", small_config(), {0, num_tokens});
  const std::vector<std::uint64_t> macs = multiply_accumulates(scheduled.commands, scheduled.model.ops.size());
  for (std::size_t index = 0; index < scheduled.model.ops.size(); ++index) {
    const Op& op = scheduled.model.ops[index];
    if (op.kind != OpKind::kLinear) continue;
    const auto& weight = scheduled.model.weights.at(op.weight);
    EXPECT_EQ(macs[index], num_tokens * weight.rows() * weight.cols()) << op.name;
  }
}

TEST(ScheduleTest, AnIntegerCacheIsStoredAndLoadedWithItsScales) {
  for (const tests::RandomModel& source : tests::random_models()) {
    for (const bool zero_point : {false, true}) {
      units::AcceleratorConfig config = small_config();
      config.storage.kv_cache = "int4";
      config.storage.kv_cache_zero_point = zero_point;
      const std::size_t num_tokens = 9;
      const Scheduled scheduled = schedule(source.build(), "none", config, {0, num_tokens});
      run_in_order(scheduled, config);
      expect_complete(scheduled, {0, num_tokens});
      const transformer::ModelShape& shape = scheduled.model.shape;
      const auto head_size = static_cast<std::uint64_t>(shape.head_size);
      const std::uint64_t group = (4 * head_size + 16 + (zero_point ? 4 : 0) + 7) / 8;
      const std::uint64_t cache = num_tokens * static_cast<std::uint64_t>(shape.num_kv_heads) * group;
      std::uint64_t stored = 0;
      std::uint64_t loaded = 0;
      std::uint64_t dequantized = 0;
      for (const Command& command : scheduled.commands) {
        const Op& op = scheduled.model.ops[command.op_index];
        const bool makes_cache =
            op.name.ends_with("attn.v") || op.name.ends_with(shape.family == "llama" ? "attn.rope_k" : "attn.k");
        if (command.unit == UnitKind::kStore && makes_cache) stored += std::get<DmaWork>(command.work).bytes;
        if (command.unit == UnitKind::kLoad && op.kind == OpKind::kScores) {
          loaded += std::get<DmaWork>(command.work).bytes;
        }
        const auto* vector = std::get_if<VectorWork>(&command.work);
        const bool makes_operands = vector != nullptr && op.kind == OpKind::kScores && command.compute &&
                                    vector->elements == 2 * num_tokens * head_size;
        if (makes_operands && vector->passes == 1) ++dequantized;  // fp16 operands need no further pass
      }
      const auto num_layers = static_cast<std::uint64_t>(shape.num_layers);
      EXPECT_EQ(stored, num_layers * 2 * cache) << source.label;
      EXPECT_GE(dequantized, num_layers * static_cast<std::uint64_t>(shape.num_kv_heads)) << source.label;
      const std::uint64_t queries = num_tokens * static_cast<std::uint64_t>(shape.num_heads) * head_size * 2;
      EXPECT_EQ(loaded, num_layers * (2 * cache + queries)) << source.label;
    }
  }
}

TEST(TilingTest, HeadsThatAreQuantizedStayTogether) {
  units::AcceleratorConfig config = small_config();
  LinearBytes bytes{.input_row = 512, .operand_row = 128, .weight_col = 128, .output_element = 2, .depth = 256};
  bytes.column_unit = 48;
  for (const std::int64_t capacity : {8192, 16384, 65536, 262144}) {
    config.scratchpad.bytes = capacity;
    EXPECT_EQ(tile_linear("op", 100, 192, bytes, config).cols % 48, 0) << capacity;
  }
  config.scratchpad.bytes = 6000;
  try {
    (void)tile_linear("op", 100, 192, bytes, config);
    FAIL() << "a row and 48 columns do not fit 6000 bytes";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "scratchpad.bytes: got 6000; op needs at least 6880");  // 640 + 48 * 130
  }
}

TEST(ScheduleTest, ADecodeStepLoadsTheCacheAndOneRow) {
  for (const tests::RandomModel& source : tests::random_models()) {
    const std::size_t position = 13;
    const Scheduled scheduled = schedule(source.build(), "none", small_config(), {position, position + 1});
    const auto head_bytes = 2 * static_cast<std::uint64_t>(scheduled.model.shape.head_size);  // fp16
    const auto num_kv_heads = static_cast<std::uint64_t>(scheduled.model.shape.num_kv_heads);
    const auto num_heads = static_cast<std::uint64_t>(scheduled.model.shape.num_heads);
    std::map<OpKind, std::uint64_t> loaded;
    std::map<OpKind, std::uint64_t> macs;
    for (const Command& command : scheduled.commands) {
      const OpKind kind = scheduled.model.ops[command.op_index].kind;
      if (command.unit == UnitKind::kLoad) loaded[kind] += std::get<DmaWork>(command.work).bytes;
      if (const auto* work = std::get_if<MatrixWork>(&command.work)) {
        EXPECT_EQ(work->m, 1u);
        macs[kind] += work->n * work->k;
      }
    }
    const auto num_layers = static_cast<std::uint64_t>(scheduled.model.shape.num_layers);
    EXPECT_EQ(loaded[OpKind::kScores], num_layers * head_bytes * (2 * num_kv_heads * (position + 1) + num_heads))
        << source.label;
    EXPECT_EQ(macs[OpKind::kScores], num_layers * num_heads * (head_bytes / 2) * (position + 1));
    EXPECT_EQ(macs[OpKind::kValues], macs[OpKind::kScores]);
  }
}

TEST(ScheduleTest, EncodersMultiplyEveryQueryWithEveryKey) {
  const tests::RandomModel source = tests::random_encoders().front();
  const std::size_t num_tokens = 7;
  units::AcceleratorConfig config = small_config();
  config.scratchpad.bytes = 2048;  // blocks of a few queries
  const Scheduled scheduled = schedule(source.build(), "none", config, {0, num_tokens});
  const std::vector<std::uint64_t> macs = multiply_accumulates(scheduled.commands, scheduled.model.ops.size());
  const auto width = static_cast<std::uint64_t>(source.shape.num_heads * source.shape.head_size);
  for (std::size_t index = 0; index < scheduled.model.ops.size(); ++index) {
    const Op& op = scheduled.model.ops[index];
    if (op.kind != OpKind::kScores && op.kind != OpKind::kValues) continue;
    EXPECT_EQ(macs[index], num_tokens * num_tokens * width) << op.name;
  }
}

TEST(ScheduleTest, NormsOfHeadsAreShortRows) {
  const tests::RandomModel source = tests::random_models().back();
  ASSERT_TRUE(source.shape.qk_norm);
  const std::size_t num_tokens = 5;
  const Scheduled scheduled = schedule(source.build(), "none", small_config(), {0, num_tokens});
  std::map<std::string, std::uint64_t> rows;
  for (const Command& command : scheduled.commands) {
    const auto* work = std::get_if<NormWork>(&command.work);
    if (work == nullptr) continue;
    const Op& op = scheduled.model.ops[command.op_index];
    EXPECT_EQ(work->hidden_size,
              static_cast<std::uint64_t>(op.norm_size > 0 ? op.norm_size : source.shape.hidden_size));
    rows[op.name] += work->rows;
  }
  EXPECT_EQ(rows.at("layers.0.attn.q_norm"), num_tokens * static_cast<std::uint64_t>(source.shape.num_heads));
  EXPECT_EQ(rows.at("layers.0.attn.k_norm"), num_tokens * static_cast<std::uint64_t>(source.shape.num_kv_heads));
  EXPECT_EQ(rows.at("layers.0.attn_norm"), num_tokens);
}

TEST(TilingTest, NamesTheSmallestScratchpadThatWouldDo) {
  units::AcceleratorConfig config = small_config();
  config.scratchpad.bytes = 1024;
  const LinearBytes bytes{.input_row = 1000, .operand_row = 250, .weight_col = 250, .output_element = 2, .depth = 256};
  try {
    (void)tile_linear("layers.0.mlp.down", 16, 16, bytes, config);
    FAIL() << "1502 bytes do not fit 1024";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "scratchpad.bytes: got 1024; layers.0.mlp.down needs at least 1502");
  }
  config.scratchpad.bytes = 1502;
  const LinearTile tile = tile_linear("layers.0.mlp.down", 16, 16, bytes, config);
  EXPECT_EQ(tile.rows, 1);
  EXPECT_EQ(tile.cols, 1);
}

TEST(ScheduleTest, ResultsFitTheAccumulatorBuffer) {
  const tests::RandomModel source = tests::random_models().front();
  for (const std::int64_t bytes : {100, 200, 1000, 100000}) {
    units::AcceleratorConfig config = small_config();
    config.accumulator_buffer.bytes = bytes;
    std::uint64_t used = 0;
    std::uint64_t most = 0;
    const Scheduled scheduled = schedule(source.build(), "rrs", config, {0, 17});
    run_in_order(scheduled, config);
    expect_complete(scheduled, {0, 17});
    for (const Command& command : scheduled.commands) {
      ASSERT_EQ(command.allocate_accumulator_bytes != 0, command.unit == UnitKind::kMatrix);
      used += command.allocate_accumulator_bytes;
      most = std::max(most, used);
      ASSERT_LE(used, static_cast<std::uint64_t>(bytes));
      ASSERT_GE(used, command.free_accumulator_bytes);
      used -= command.free_accumulator_bytes;
    }
    EXPECT_EQ(used, 0u);
    EXPECT_GT(most, 0u);
  }
}

TEST(ScheduleTest, EveryMemoryThatIsTooSmallIsNamedWithTheSizeThatWouldDo) {
  constexpr std::size_t kTokens = 64;
  units::AcceleratorConfig config = small_config();
  config.scratchpad.bytes = 1024;
  config.accumulator_buffer.bytes = 2;
  const tests::RandomModel source = tests::random_models().front();
  std::string message;
  try {
    (void)schedule(source.build(), "none", config, {0, kTokens});
  } catch (const UserError& error) {
    message = error.what();
  }
  ASSERT_TRUE(message.starts_with("accumulator_buffer.bytes: got 2; ")) << message;
  const auto number_after = [&](const std::string& text, std::size_t from) {
    return std::stoll(message.substr(message.find(text, from) + text.size()));
  };
  const std::size_t second = message.find("\nscratchpad.bytes: got 1024; ");
  ASSERT_NE(second, std::string::npos) << message;
  const std::int64_t accumulators = number_after("needs at least ", 0);
  const std::int64_t scratchpad = number_after("needs at least ", second);
  for (const std::int64_t less : {1, 0}) {
    config.accumulator_buffer.bytes = accumulators;
    config.scratchpad.bytes = scratchpad - less;
    if (less == 0) {
      EXPECT_NO_THROW((void)schedule(source.build(), "none", config, {0, kTokens}));
      config.accumulator_buffer.bytes = accumulators - 1;
    }
    EXPECT_THROW((void)schedule(source.build(), "none", config, {0, kTokens}), UserError);
  }
}

TEST(TilingTest, PrefersWholeArrayRowsAndColumns) {
  units::AcceleratorConfig config = small_config();
  config.scratchpad.bytes = 65536;
  const LinearBytes bytes{.input_row = 512, .operand_row = 128, .weight_col = 128, .output_element = 2, .depth = 256};
  const LinearTile tile = tile_linear("op", 1000, 1000, bytes, config);
  EXPECT_EQ(tile.rows % 4, 0);
  EXPECT_EQ(tile.cols % 8, 0);
  EXPECT_LE(tile.held_bytes(bytes) + 2 * tile.block_bytes(bytes, tile.rows, tile.cols), 65536);
}

TEST(TilingTest, ASmallScratchpadKeepsManyRowsAndFewColumns) {
  units::AcceleratorConfig config = small_config();
  config.array.rows = config.array.cols = 32;
  config.scratchpad.bytes = 65536;
  // 32 columns of 1024 fp32 weights do not fit twice beside anything; one row at a time would load them 64 times.
  const LinearBytes bytes{.input_row = 4096, .operand_row = 0, .weight_col = 4096, .output_element = 4, .depth = 1024};
  const LinearTile tile = tile_linear("op", 64, 1024, bytes, config);
  EXPECT_GE(tile.rows, 4);
  EXPECT_LE(tile.held_bytes(bytes) + 2 * tile.block_bytes(bytes, tile.rows, tile.cols), 65536);
}

}  // namespace
}  // namespace guardbit::sim
