#pragma once
/// Random small arrays, PEs and products on which PE fidelity and tile fidelity must agree.
#include <cmath>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "models/numerics/codec.h"
#include "models/units/matrix_unit.h"
#include "sim/modules/pe_machine.h"
#include "sim/modules/timing.h"

namespace guardbit::tests {

inline constexpr std::uint32_t kMaxPeRows = 16;
inline constexpr std::uint32_t kMaxPeCols = 16;

struct PeCase {
  sim::MatrixWork work;
  units::ArrayConfig array;
  units::OperandConfig operands;
  units::AccumulatorConfig accumulator;
  int group = 0;  ///< > 0: smoothed, with a scale for each `group` products

  friend std::ostream& operator<<(std::ostream& out, const PeCase& c) {
    const units::BufferConfig& buffer = c.accumulator.buffer;
    return out << c.work.m << " x " << c.work.n << " x " << c.work.k << " on " << c.array.rows << " x " << c.array.cols
               << " " << c.array.dataflow << " " << c.array.policy << " " << c.array.edge << " W " << c.array.dot_width
               << ", " << c.operands.activation << " x " << c.operands.weight << " cycles_per_mac "
               << c.operands.cycles_per_mac << " -> " << c.accumulator.format << " " << c.accumulator.rounding << " "
               << c.accumulator.reduce << " " << c.accumulator.fixed_format << " product " << c.accumulator.product
               << " latency " << c.accumulator.latency_cycles << " interleave " << c.accumulator.interleave
               << " buffer '" << buffer.format << "' every " << buffer.promote_every << " group " << c.group
               << " first_of_op " << c.work.first_of_op << " last_of_op " << c.work.last_of_op;
  }
};

class PeCaseGenerator {
 public:
  explicit PeCaseGenerator(std::uint64_t seed) : random_(seed) {}

  PeCase next() {
    PeCase c;
    c.array.rows = 1 + pick(one_in(4) ? kMaxPeRows : 5);
    c.array.cols = 1 + pick(one_in(4) ? kMaxPeCols : 5);
    c.array.dataflow = choose<std::string>({"os", "ws", "is"});
    c.array.policy = choose<std::string>({"serial", "overlap", "overlap"});
    c.array.edge = choose<std::string>({"full", "used"});
    c.array.dot_width = choose<std::int64_t>({1, 1, 4, 8});
    c.operands.cycles_per_mac = 1 + pick(2);
    c.accumulator.latency_cycles = 1 + pick(4);
    const bool thin =
        one_in(4);  // short streams through flat, wide arrays: every fold is still busy when the next comes
    if (thin) {
      c.array.rows = 1 + pick(2);
      c.array.cols = 5 + pick(kMaxPeCols - 4);
    }
    set_formats(c);
    c.work.m = thin ? 1 + static_cast<std::uint64_t>(pick(4)) : size();
    c.work.n = thin ? 1 + static_cast<std::uint64_t>(pick(40)) : size();
    c.work.k = 1 + static_cast<std::uint64_t>(pick(thin ? 6 : one_in(3) ? 200 : 40));
    if (thin && c.array.dataflow == "is") std::swap(c.work.m, c.work.n);
    const units::MatrixMode mode = units::make_matrix_mode(c.array, c.operands, c.accumulator, c.group);
    const sim::PeTiming pe = sim::pe_timing(c.array, c.operands, c.accumulator);
    c.work.cycles_per_mac = pe.cycles_per_mac;
    c.work.latency_cycles = pe.latency_cycles;
    c.work.interleave = pe.interleave;
    c.work.pipeline_cycles = pe.pipeline_cycles;
    c.work.chunk = static_cast<std::uint64_t>(mode.chunk);
    c.work.first_of_op = !one_in(4);
    c.work.last_of_op = !one_in(4);
    return c;
  }

  /// Values around 1, some at the format's ends, some zeros, infinities and NaNs; integer codes of all sizes.
  units::Operand operand(const PeCase& c, bool is_weight, std::size_t rows) {
    const std::string& name = is_weight ? c.operands.weight : c.operands.activation;
    const auto depth = static_cast<std::size_t>(c.work.k);
    units::Operand operand;
    if (const auto integer = numerics::parse_int_format(name)) {
      operand.integer = true;
      operand.codes = numerics::Matrix<std::int8_t>(rows, depth);
      const int levels = 1 << integer->bits;
      for (std::int8_t& code : operand.codes.data()) code = static_cast<std::int8_t>(pick(levels) - levels / 2);
      return operand;
    }
    const numerics::FloatFormat format = *numerics::parse_float_format(name);
    operand.values = numerics::Matrix<float>(rows, depth);
    const bool with_specials = one_in(8);
    for (float& value : operand.values.data()) value = number(format, with_specials);
    return operand;
  }

  std::vector<float> scales(std::size_t count) {
    std::vector<float> list(count);
    for (float& scale : list) scale = number(numerics::kFp32, false);
    return list;
  }

 private:
  std::int64_t pick(std::int64_t count) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(count));
  }
  bool one_in(std::int64_t count) { return pick(count) == 0; }
  std::uint64_t size() { return 1 + static_cast<std::uint64_t>(pick(one_in(4) ? 40 : 12)); }
  template <class T>
  T choose(std::initializer_list<T> list) {
    return list.begin()[pick(static_cast<std::int64_t>(list.size()))];
  }

  void set_formats(PeCase& c) {
    const bool flows = c.array.sums_flow_down();
    units::BufferConfig& buffer = c.accumulator.buffer;
    if (one_in(3)) {
      c.operands.activation = choose<std::string>({"int4", "int8"});
      c.operands.weight = choose<std::string>({"int4", "int8"});
      c.accumulator.format = choose<std::string>({"int32", "int20", "int16"});
      c.accumulator.int_overflow = choose<std::string>({"wrap", "saturate"});
    } else {
      c.operands.activation = choose<std::string>({"fp16", "fp8_e4m3", "fp8_e5m2", "bf16"});
      c.operands.weight = choose<std::string>({"fp16", "fp8_e4m3"});
      c.accumulator.format = choose<std::string>({"fp32", "fp16", "fp8_e5m2", "bf16", "e6m9"});
      c.accumulator.rounding = choose<std::string>({"rne", "rne", "rtz", "stochastic"});
      c.accumulator.subnormals = choose<std::string>({"keep", "keep", "flush"});
      if (one_in(4)) c.accumulator.product = "fp16";
      if (c.array.dot_width > 1 && !one_in(3)) c.accumulator.reduce = "tree";
      if (one_in(5)) set_fixed(c.accumulator);
      const bool one_adder = c.accumulator.reduce == "tree" || c.array.dot_width == 1;
      if (!flows && one_adder) c.accumulator.interleave = 1 + pick(4);
    }
    if (flows || one_in(2)) {
      buffer.format = choose<std::string>({"fp32", "fp16"});
      buffer.rounding = choose<std::string>({"rne", "stochastic"});
      if (!flows && one_in(2)) buffer.promote_every = 1 + pick(one_in(2) ? 8 : 64);
    }
    const auto column = static_cast<int>(c.array.column_products());
    if (one_in(5)) c.group = flows ? column * static_cast<int>(1 + pick(2)) : static_cast<int>(1 + pick(32));
    if (flows && one_in(8)) c.group = 1 + static_cast<int>(pick(column));
  }

  /// A Kulisch register: wide enough for everything, or so narrow that it wraps or saturates.
  void set_fixed(units::AccumulatorConfig& accumulator) {
    accumulator.reduce = "fixed";
    accumulator.fixed_format = choose<std::string>({"q8.6", "q24.20", "q40.48", "q64.64", "q128.300"});
    accumulator.fixed_rounding = choose<std::string>({"rtz", "rne"});
    accumulator.fixed_overflow = choose<std::string>({"wrap", "saturate"});
  }

  float number(const numerics::FloatFormat& format, bool with_specials) {
    const auto bits = static_cast<std::uint32_t>(random_());
    if (with_specials && one_in(16)) {
      if (format.has_infinity() && one_in(2)) return one_in(2) ? -HUGE_VALF : HUGE_VALF;
      if (format.has_nan()) return std::nanf("");
    }
    const std::uint32_t code = one_in(16)  ? bits % (format.max_finite_code() + 1)
                               : one_in(8) ? 0
                                           : numerics::from_carrier(1, format) + bits % (4U << format.trailing_bits);
    return numerics::to_carrier(code, format) * (one_in(2) ? 1.0F : -1.0F);
  }

  std::mt19937_64 random_;
};

}  // namespace guardbit::tests
