#pragma once
/// Programs for tests of the machine: commands by hand, and random ones that a real scheduler could have made.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "models/units/accelerator_config.h"
#include "sim/modules/command.h"

namespace guardbit::sim {
inline void PrintTo(const UnitCycles& cycles, std::ostream* out) {
  *out << "busy " << cycles.busy << ", input stall " << cycles.input_stall << ", output stall " << cycles.output_stall
       << ", token wait " << cycles.token_wait << ", idle " << cycles.idle;
}
}  // namespace guardbit::sim

namespace guardbit::tests {

/// A command; tokens are numbered by the caller.
inline sim::Command command(sim::UnitKind unit, sim::Work work, sim::TokenId signals,
                            std::vector<sim::TokenId> waits = {}) {
  sim::Command made;
  made.unit = unit;
  made.work = work;
  made.signals = signals;
  made.waits = std::move(waits);
  return made;
}
inline sim::Command load(std::uint64_t address, std::uint64_t bytes, sim::TokenId signals,
                         std::vector<sim::TokenId> waits = {}) {
  return command(sim::UnitKind::kLoad, sim::DmaWork{address, bytes}, signals, std::move(waits));
}
inline sim::Command store(std::uint64_t address, std::uint64_t bytes, sim::TokenId signals,
                          std::vector<sim::TokenId> waits = {}) {
  return command(sim::UnitKind::kStore, sim::DmaWork{address, bytes}, signals, std::move(waits));
}
/// `cycles` cycles in the vector unit, whatever its lanes.
inline sim::Command vector_cycles_command(std::uint32_t cycles, sim::TokenId signals,
                                          std::vector<sim::TokenId> waits = {}) {
  return command(sim::UnitKind::kVector, sim::VectorWork{.elements = 1, .passes = cycles, .lanes = 1}, signals,
                 std::move(waits));
}
/// `cycles` cycles in the rotate unit with lanes = 1 (rows of two elements).
inline sim::Command rotate_cycles_command(std::uint64_t cycles, sim::TokenId signals,
                                          std::vector<sim::TokenId> waits = {}) {
  return command(sim::UnitKind::kRotate, sim::RotateWork{.rows = cycles, .width = 2, .size = 2}, signals,
                 std::move(waits));
}

struct RandomProgramShape {
  std::size_t num_commands = 200;
  std::size_t num_ops = 5;
  std::uint64_t scratchpad_bytes = 0;   ///< > 0: commands allocate and free such that a serial run fits
  std::uint64_t accumulator_bytes = 0;  ///< > 0: likewise in the accumulator buffer
  bool stores = true;                   ///< false: the load engine has the DRAM to itself
};

/// Purposes and optional parts of the work, at random.
inline void give_purposes(std::uint64_t seed, std::vector<sim::Command>& program) {
  std::mt19937_64 random(seed + 1);
  for (sim::Command& made : program) {
    made.purpose = static_cast<sim::Purpose>(random() % sim::kNumPurposes);
    if (auto* matrix = std::get_if<sim::MatrixWork>(&made.work)) {
      matrix->chunk = random() % 9;
      if (random() % 2 == 0) matrix->chunk_without_groups = matrix->chunk == 0 ? 0 : matrix->chunk + random() % 9;
    }
    if (auto* norm = std::get_if<sim::NormWork>(&made.work)) norm->scale_multiply = random() % 2 == 0;
    if (auto* vector = std::get_if<sim::VectorWork>(&made.work)) vector->sort_elements = random() % 40;
  }
}

/// Some commands hold accumulators until the next command of the program that holds some, or the last one, is done.
inline void hold_accumulators(std::uint64_t seed, std::uint64_t capacity, std::vector<sim::Command>& program) {
  std::mt19937_64 random(seed + 2);
  sim::Command* owner = nullptr;
  for (std::size_t i = 0; i + 1 < program.size(); ++i) {
    if (random() % 3 != 0) continue;
    sim::Command& made = program[i];
    if (owner != nullptr) {  // freed by the command before, so that a serial run always has the space
      sim::Command& reader = program[i - 1];
      if (&reader == owner) continue;
      reader.waits.push_back(owner->signals);
      reader.free_accumulator_bytes = owner->allocate_accumulator_bytes;
    }
    made.allocate_accumulator_bytes = 1 + random() % capacity;
    owner = &made;
  }
}

/// Every command waits for up to three of the last 20 tokens. Buffers are freed by a command that comes later and waits
/// for the one that allocated them.
inline std::vector<sim::Command> random_program(std::uint64_t seed, const RandomProgramShape& shape) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  struct Buffer {
    std::uint64_t bytes;
    sim::TokenId owner;
  };
  std::deque<Buffer> buffers;
  std::uint64_t used = 0;
  std::vector<sim::Command> program;
  for (std::size_t i = 0; i < shape.num_commands; ++i) {
    const auto unit = static_cast<sim::UnitKind>(below(shape.stores ? sim::kNumUnits : sim::kNumUnits - 1));
    sim::Work work;
    switch (unit) {
      case sim::UnitKind::kLoad:
      case sim::UnitKind::kStore: work = sim::DmaWork{below(1 << 20), 1 + below(6000)}; break;
      case sim::UnitKind::kMatrix:
        work = sim::MatrixWork{.m = 1 + below(40), .n = 1 + below(40), .k = 1 + below(90)};
        break;
      case sim::UnitKind::kNorm: work = sim::NormWork{.rows = 1 + below(4), .hidden_size = 1 + below(200)}; break;
      case sim::UnitKind::kVector: work = sim::VectorWork{.elements = below(4000), .passes = 1}; break;
      case sim::UnitKind::kRotate: work = sim::RotateWork{.rows = 1 + below(4), .width = 64, .size = 64}; break;
    }
    sim::Command made = command(unit, work, static_cast<sim::TokenId>(i));
    made.op_index = static_cast<std::uint32_t>(i * shape.num_ops / shape.num_commands);
    for (std::uint64_t wait = below(4); wait > 0 && i > 0; --wait) {
      made.waits.push_back(static_cast<sim::TokenId>(i - 1 - below(std::min<std::uint64_t>(i, 20))));
    }
    if (shape.scratchpad_bytes != 0) {
      const std::uint64_t bytes = 1 + below(shape.scratchpad_bytes / 3);
      while (!buffers.empty() && (used + bytes > shape.scratchpad_bytes || below(3) == 0)) {
        // Freed one command earlier than `bytes` are needed, so that a serial run always has the space.
        sim::Command& last = i == 0 ? made : program.back();
        if (last.signals == made.signals || buffers.front().owner > last.signals) break;
        if (buffers.front().owner != last.signals) last.waits.push_back(buffers.front().owner);
        last.frees.push_back(buffers.front().bytes);
        used -= buffers.front().bytes;
        buffers.pop_front();
      }
      if (used + bytes <= shape.scratchpad_bytes) {
        made.allocate_bytes = bytes;
        buffers.push_back({bytes, made.signals});
        used += bytes;
      }
    }
    program.push_back(std::move(made));
  }
  give_purposes(seed, program);
  if (shape.accumulator_bytes != 0) hold_accumulators(seed, shape.accumulator_bytes, program);
  return program;
}

}  // namespace guardbit::tests
