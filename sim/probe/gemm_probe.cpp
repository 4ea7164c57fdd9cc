#include "sim/probe/gemm_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "models/arith/accumulator.h"
#include "models/arith/accumulators/reduce.h"
#include "models/numerics/codec.h"
#include "models/units/affine_product.h"
#include "models/units/matrix_unit.h"
#include "sim/base/error.h"
#include "sim/base/memory.h"
#include "sim/base/sha256.h"
#include "sim/modules/recorded_product.h"
#include "sim/modules/timing.h"
#include "sim/probe/exact_dot.h"
#include "sim/probe/gemm_timing.h"
#include "sim/probe/product_mode.h"
#include "sim/probe/value_statistics.h"
#include "sim/trace/npy.h"

namespace guardbit::sim {
namespace {

using numerics::EventLedger;
using numerics::Matrix;
using numerics::Stage;

void check_size(const char* name, std::uint64_t size) {
  if (size >= 1 && size <= kMaxGemmSize) return;
  throw UserError(ExitCode::kUsage, fmt::format("{}: got {}; expected 1..{}", name, size, kMaxGemmSize));
}

/// Sources, operands, packed panels and results, in bytes.
double bytes_needed(const GemmOptions& options) {
  const auto operands = static_cast<double>(options.m + options.n) * static_cast<double>(options.k);
  const auto results = static_cast<double>(options.m) * static_cast<double>(options.n);
  constexpr double kCopiesOfOperands = 3;  // as read, as held, as packed by the kernel
  const double copies_of_results = 1.0 + (options.reference ? 1.0 : 0.0) + (options.output.empty() ? 0.0 : 1.0);
  return sizeof(float) * (kCopiesOfOperands * operands + copies_of_results * results);
}

numerics::FloatFormat result_format(const units::MatrixMode& mode) {
  if (mode.integer) return mode.int_spec.outer.format;
  return mode.float_spec.promote_every != 0 ? mode.float_spec.outer.format : mode.float_spec.inner.format;
}

int zero_point(const units::Operand& operand, std::size_t row, std::size_t k) {
  if (operand.zero_points.rows() == 0) return 0;
  return operand.zero_points(row, operand.group == 0 ? 0 : k / operand.group);
}

/// The row of an operand as numbers, without scales.
std::vector<float> row_values(const units::Operand& operand, std::size_t row) {
  const std::size_t size = operand.cols();
  if (!operand.integer) return {operand.values.row(row), operand.values.row(row) + size};
  std::vector<float> values(size);
  for (std::size_t k = 0; k < size; ++k)
    values[k] = static_cast<float>(operand.codes(row, k) - zero_point(operand, row, k));
  return values;
}

bool all_finite(const std::vector<float>& values) {
  for (const float value : values) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

/// The terms of sum over groups of s_g I_g, I_g the group's sum of whole numbers: exact in binary32, each as two, the
/// higher one a multiple of 2^12.
ExactDot exact_group_dot(const units::Operand& a, std::size_t m, const std::vector<float>& row,
                         std::span<const float> column, float result) {
  constexpr std::int64_t kLow = 1 << 12;
  std::vector<float> scales;
  std::vector<float> sums;
  for (std::size_t group = 0; group < a.group_scales.cols(); ++group) {
    const std::size_t end = std::min((group + 1) * a.group, row.size());
    std::int64_t sum = 0;
    for (std::size_t k = group * a.group; k < end; ++k) {
      sum += static_cast<std::int64_t>(row[k]) * static_cast<std::int64_t>(column[k]);
    }
    const std::int64_t high = sum / kLow * kLow;
    scales.insert(scales.end(), 2, a.group_scales(m, group));
    sums.insert(sums.end(), {static_cast<float>(high), static_cast<float>(sum - high)});
  }
  return exact_dot(scales, sums, result);
}

ErrorStatistics errors_of(const units::Operand& a, const units::Operand& b, const Matrix<float>& c,
                          const numerics::ParallelFor& parallel_for) {
  std::vector<std::uint8_t> column_is_finite(c.cols());
  for (std::size_t n = 0; n < c.cols(); ++n) column_is_finite[n] = all_finite(row_values(b, n)) ? 1 : 0;
  Matrix<float> codes;  // integer operands: columns as numbers, once
  if (b.integer) {
    codes = Matrix<float>(b.rows(), b.cols());
    for (std::size_t n = 0; n < b.rows(); ++n) {
      for (std::size_t k = 0; k < b.cols(); ++k) codes(n, k) = static_cast<float>(b.codes(n, k));
    }
  }
  const Matrix<float>& columns = b.integer ? codes : b.values;
  std::vector<ErrorSums> rows(c.rows());
  numerics::run_parallel(parallel_for, c.rows(), [&](std::size_t m) {
    const std::vector<float> row = row_values(a, m);
    const bool row_is_finite = all_finite(row);
    for (std::size_t n = 0; n < c.cols(); ++n) {
      if (!row_is_finite || column_is_finite[n] == 0 || !std::isfinite(c(m, n))) {
        rows[m].leave_out();
        continue;
      }
      const std::span<const float> column(columns.row(n), columns.cols());
      const ExactDot dot =
          a.group_scales.rows() != 0 ? exact_group_dot(a, m, row, column, c(m, n)) : exact_dot(row, column, c(m, n));
      rows[m].add(dot.error, dot.exact);
    }
  });
  ErrorSums sums;
  for (const ErrorSums& row : rows) sums.merge(row);
  return sums.finish();
}

/// Counters that were not asked for become 0.
void keep_wanted(EventLedger& ledger, numerics::EventSet wanted) {
  for (numerics::EventCounts& counts : ledger.stages) {
    for (std::size_t i = 0; i < numerics::kNumEvents; ++i) {
      if (!wanted.has(static_cast<numerics::Event>(i))) counts.counts[i] = 0;
    }
  }
}

/// A row of activations with zero points or group scales: chunk by chunk, each sum of codes corrected to that of code -
/// zero point.
void affine_reference(const units::Operand& a, const units::Operand& b, const units::MatrixMode& mode,
                      const numerics::RandomStream& stream, std::size_t m, numerics::MatrixView<float> out,
                      arith::AccumulationEvents& events) {
  const auto chunk = static_cast<std::size_t>(mode.chunk);
  for (std::size_t n = 0; n < b.rows(); ++n) {
    float outer = 0;
    std::uint32_t number = 0;
    for (std::size_t begin = 0; begin < a.cols(); begin += chunk, ++number) {
      const std::size_t end = std::min(begin + chunk, a.cols());
      const std::span<const std::int8_t> x(a.codes.row(m) + begin, end - begin);
      const std::span<const std::int8_t> w(b.codes.row(n) + begin, end - begin);
      std::int64_t sum = arith::reduce_integer(x, w, mode.int_spec, events);
      for (std::size_t k = begin; k < end; ++k) sum -= std::int64_t{zero_point(a, m, k)} * b.codes(n, k);
      const float scale = a.group_scales.rows() == 0 ? 1.0F : a.group_scales(m, begin / a.group);
      outer = arith::promote(outer, scale, sum, mode.int_spec.outer, stream,
                             {static_cast<std::uint32_t>(m), static_cast<std::uint32_t>(n)}, number, events);
    }
    out(0, n) = outer;
  }
}

numerics::ParallelFor loops_of(const GemmOptions& options, const std::string& phase) {
  return options.counted ? options.counted(options.parallel_for, phase) : options.parallel_for;
}

/// Whether the reference gives the same bits and, of the accumulation's stages, the same events.
bool equals_reference(const units::Operand& a, const units::Operand& b, const units::MatrixMode& mode,
                      const GemmOptions& options, const Matrix<float>& c, const EventLedger& ledger) {
  Matrix<float> expected(c.rows(), c.cols());
  std::vector<arith::AccumulationEvents> rows(c.rows());
  const numerics::RandomStream stream{.seed = options.seed};
  numerics::run_parallel(loops_of(options, "reference"), c.rows(), [&](std::size_t m) {
    const arith::OutputIndex first{static_cast<std::uint32_t>(m), 0};
    numerics::MatrixView<float> out = expected.view().rows_range(m, m + 1);
    if (mode.is_affine()) {
      affine_reference(a, b, mode, stream, m, out, rows[m]);
    } else if (mode.integer) {
      arith::gemm_reference(a.codes.view().rows_range(m, m + 1), b.codes.view().transposed(), mode.int_spec, {}, stream,
                            first, out, rows[m]);
    } else {
      arith::gemm_reference(a.values.view().rows_range(m, m + 1), b.values.view().transposed(), mode.float_spec, {},
                            stream, first, out, rows[m]);
    }
  });
  EventLedger events;
  for (const arith::AccumulationEvents& row : rows) {
    events[Stage::kProduct] += row.product;
    events[Stage::kInnerAccumulator] += row.inner;
    events[Stage::kOuterAccumulator] += row.outer;
  }
  keep_wanted(events, options.wanted);
  const bool same_bits = std::memcmp(c.data().data(), expected.data().data(), c.data().size() * sizeof(float)) == 0;
  bool same_events = true;
  for (const Stage stage : {Stage::kProduct, Stage::kInnerAccumulator, Stage::kOuterAccumulator}) {
    same_events = same_events && events[stage] == ledger[stage];
  }
  return same_bits && same_events;
}

void describe_range(const numerics::FloatFormat& format, GemmValues& values) {
  if (values.exponents.exponents.empty()) return;
  values.headroom_bits = format.max_exponent() - values.exponents.exponents.rbegin()->first;
  values.footroom_bits = values.exponents.exponents.begin()->first - format.emin();
}

void write_output(const std::filesystem::path& file, const Matrix<float>& c) {
  if (file.empty()) return;
  std::vector<unsigned char> bytes(c.data().size() * sizeof(float));
  std::memcpy(bytes.data(), c.data().data(), bytes.size());
  write_npy(file, "<f4", {c.rows(), c.cols()}, bytes);
}

/// Waveforms of the product, with the values that the stepped array's registers hold.
void record(RecordedProduct& recording, const ProductMode& product, const GemmOptions& options,
            const std::optional<PeProduct::Values>& values) {
  const MatrixWork work = work_of(product, options);
  const std::uint64_t cycles = recording.run({.array = product.array, .work = work, .values = values});
  GUARDBIT_CHECK(cycles == matrix_timing(work, product.array).cycles, "a recorded product takes its cycles");
}

/// The machines that SystemC must know before the first of them runs.
struct Machines {
  std::optional<SteppedArray> stepped;
  std::optional<RecordedProduct> recorded;
};

GemmValues values_of(const ProductMode& product_mode, const GemmOptions& options, Machines& machines) {
  const units::MatrixMode& mode = product_mode.mode;
  GemmValues values;
  const auto operand = [&](const OperandSource& source, std::size_t rows, std::size_t cols, bool is_weight) {
    const bool transposed = is_weight && options.transpose_b;
    const Matrix<float> matrix =
        load_operand(source, rows, cols, transposed, options.seed, is_weight ? 1 : 0, options.parallel_for);
    if (!is_weight && mode.activation_tensor) {
      const units::ValueRange range = units::range_of(matrix.view());
      return units::quantize_affine_operand(matrix.view(), mode, values.events, options.parallel_for, &range);
    }
    return units::quantize_operand(is_weight ? matrix.view().transposed() : matrix.view(), mode, is_weight,
                                   values.events, options.parallel_for);
  };
  const units::Operand a = operand(options.a, options.m, options.k, false);
  const units::Operand b = operand(options.b, options.k, options.n, true);
  Matrix<float> c(options.m, options.n);
  // An affine product counts all events; what was not asked for is dropped below.
  const units::MatrixProductOptions product{.wanted = mode.is_affine() ? numerics::EventSet::all() : options.wanted,
                                            .stream = {.seed = options.seed},
                                            .origin = {},
                                            .parallel_for = loops_of(options, "product")};
  if (machines.recorded) {
    Matrix<float> scratch(options.m, options.n);
    record(*machines.recorded, product_mode, options,
           PeProduct::Values{.mode = &mode, .a = &a, .b = &b, .stream = product.stream, .c = scratch.view()});
  }
  if (machines.stepped) {
    machines.stepped->values(a, b, c, values.events);
  } else {
    units::matrix_product(a, b, {0, options.m}, {0, options.n}, mode, {}, product, c.view(), values.events);
  }
  keep_wanted(values.events, options.wanted);

  Sha256 digest;
  digest.update(c.data().data(), c.data().size() * sizeof(float));
  values.digest = digest.hex();
  values.result_format = numerics::name_of(result_format(mode));
  for (const float value : c.data()) add_value(values.exponents, static_cast<double>(value));
  describe_range(result_format(mode), values);
  if (options.error) values.error = errors_of(a, b, c, loops_of(options, "exact sums"));
  if (options.reference) values.equals_reference = equals_reference(a, b, mode, options, c, values.events);
  if (options.on_output) options.on_output(result_format(mode), c);
  write_output(options.output, c);
  return values;
}

}  // namespace

GemmResult gemm_probe(const LoadedAccelerator& accelerator, const GemmOptions& options) {
  check_size("M", options.m);
  check_size("N", options.n);
  check_size("K", options.k);
  const ProductMode product = product_mode(accelerator, options.preset);
  GemmResult result;
  result.m = options.m;
  result.n = options.n;
  result.k = options.k;
  result.accelerator_name = accelerator.name;
  result.accelerator_keys = product.keys;
  result.preset = options.preset;
  for (std::size_t i = 0; i < numerics::kNumEvents; ++i) {
    const auto event = static_cast<numerics::Event>(i);
    if (options.wanted.has(event)) result.wanted.push_back(event);
  }
  result.timing = timing_of(product, options);
  if (options.values) {
    require_memory(bytes_needed(options), fmt::format("a product of {} x {} x {}", options.m, options.n, options.k));
  }
  Machines machines;
  if (options.stepped) machines.stepped.emplace(product, options);
  if (options.wave) {
    units::AcceleratorConfig config = accelerator.config;
    config.array = product.array;
    machines.recorded.emplace(config, options.stepped, *options.wave);
  }
  if (options.values) {
    result.values = values_of(product, options, machines);
  } else if (machines.recorded) {
    record(*machines.recorded, product, options, std::nullopt);
  }
  if (machines.stepped) machines.stepped->count(result.timing);
  return result;
}

}  // namespace guardbit::sim
