// The library inside a host program that computes otherwise: products, quantizers, norms and the other units give the
// same bits and events on a thread with a stack of 64 KiB, with subnormals flushed, and in every rounding mode, and
// leave the host's floating-point state alone.
#include <gtest/gtest.h>
#include <pthread.h>

#include <bit>
#include <cfenv>
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <vector>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include "models/kernels/gemm.h"
#include "models/kernels/hadamard.h"
#include "models/kernels/int_quantize.h"
#include "models/units/arithmetic.h"
#include "models/units/matrix_unit.h"
#include "models/units/norm_unit.h"
#include "models/units/rotate_unit.h"
#include "models/units/softmax_unit.h"
#include "tests/support/reference_norm.h"
#include "tests/support/vector_targets.h"

namespace guardbit::units {
namespace {

using Bits = std::vector<std::uint64_t>;

void add(Bits& bits, const std::vector<float>& values) {
  for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
}
void add(Bits& bits, const numerics::EventCounts& events) {
  bits.insert(bits.end(), events.counts.begin(), events.counts.end());
}
void add(Bits& bits, const EventLedger& ledger) {
  for (const numerics::EventCounts& stage : ledger.stages) add(bits, stage);
}

numerics::Matrix<float> carriers(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  return tests::random_carriers(rows, cols, numerics::kFp16, 1, seed);
}

std::span<const float> row_of(const numerics::Matrix<float>& x, std::size_t row) { return {x.row(row), x.cols()}; }

/// binary32 subnormals beside ordinary numbers.
numerics::Matrix<float> tiny(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  numerics::Matrix<float> x = carriers(rows, cols, seed);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t col = row % 3; col < cols; col += 3) x(row, col) = std::ldexp(x(row, col), -140);
  }
  return x;
}

/// Made once, before anything is hostile.
struct Inputs {
  numerics::Matrix<float> a = carriers(11, 70, 1), b = carriers(70, 9, 2);
  numerics::Matrix<float> tiny_a = tiny(11, 70, 3), tiny_b = tiny(70, 9, 4);
  numerics::Matrix<float> x = tiny(5, 67, 5), wide_x = tiny(5, 96, 6);
};
const Inputs& inputs() {
  static const Inputs inputs;
  return inputs;
}

void products(Bits& bits) {
  const numerics::Matrix<float>&a = inputs().a, &b = inputs().b;
  for (const char* reduce : {"sequential", "tree", "aligned", "fixed"}) {
    ArrayConfig array;
    array.dot_width = 8;
    AccumulatorConfig accumulator;
    accumulator.format = "fp16";
    accumulator.reduce = reduce;
    const MatrixMode mode = make_matrix_mode(array, {.activation = "fp16", .weight = "fp16"}, accumulator);
    numerics::Matrix<float> c(a.rows(), b.cols());
    arith::AccumulationEvents events;
    kernels::gemm(a.view(), b.view(), {numerics::kFp16, numerics::kFp16}, mode.float_spec, {}, {}, c.view(), events);
    add(bits, c.data());
    for (const auto& counts : {events.product, events.inner, events.outer}) add(bits, counts);
  }
  numerics::Matrix<float> c(a.rows(), b.cols());
  kernels::gemm_fp32(inputs().tiny_a.view(), inputs().tiny_b.view(), {}, c.view());
  add(bits, c.data());
}

void quantizers(Bits& bits) {
  const numerics::Matrix<float>& x = inputs().x;
  for (const char* format : {"int4", "int8", "fp8_e4m3", "fp16"}) {
    ArrayConfig array;
    AccumulatorConfig accumulator;
    if (format[0] == 'i') accumulator.format = "int32";
    const OperandConfig operands{.activation = format, .weight = format};
    EventLedger ledger;
    const Operand operand = quantize_operand(x.view(), make_matrix_mode(array, operands, accumulator), false, ledger);
    add(bits, operand.values.data());
    add(bits, operand.scales);
    bits.insert(bits.end(), operand.codes.data().begin(), operand.codes.data().end());
    add(bits, ledger);
  }
  std::vector<std::int8_t> codes(67);
  numerics::EventCounts events;
  kernels::quantize_row(row_of(x, 0), 0x1p-130F, 8, codes, events);
  bits.insert(bits.end(), codes.begin(), codes.end());
  add(bits, events);
}

void norms(Bits& bits) {
  const numerics::Matrix<float>& x = inputs().wide_x;
  for (const char* statistics : {"one_pass", "two_pass", "welford"}) {
    NormConfig config;
    config.input = config.arithmetic = config.accumulator.format = "fp32";
    config.statistics = statistics;
    numerics::Matrix<float> y(x.rows(), x.cols());
    EventLedger ledger;
    const NormUnit unit(config, conversion_spec("fp32"));
    unit.run(x.view(), {.gamma = row_of(x, 1), .input_scale = 0x1p9}, y.view(), ledger);
    add(bits, y.data());
    add(bits, ledger);
  }
}

void softmax(Bits& bits) {
  const numerics::Matrix<float>& x = inputs().wide_x;
  numerics::Matrix<float> y(x.rows(), x.cols());
  EventLedger ledger;
  for (const char* exponential : {"polynomial", "table"}) {
    const SoftmaxUnit unit({.exponential = exponential, .format = "fp32"}, conversion_spec("fp32"));
    unit.run(x.view(), 50, y.view(), ledger);
    add(bits, y.data());
  }
  add(bits, ledger);
}

void rotation(Bits& bits) {
  const numerics::Matrix<float>& x = inputs().wide_x;
  numerics::Matrix<float> y(x.rows(), x.cols());
  EventLedger ledger;
  rotate(x.view(), 12, 1, {.format = "fp32"}, y.view(), ledger);
  add(bits, y.data());
  add(bits, ledger);
}

void epilogues(Bits& bits) {
  const numerics::Matrix<float>& x = inputs().wide_x;
  numerics::Matrix<float> y(x.rows(), x.cols());
  EventLedger ledger;
  const std::vector<float> scales(x.rows(), 0x1.8p-9F);
  epilogue(x.view(), {.row_scales = scales, .factor = 0.3F}, conversion_spec("fp16"), y.view(), ledger);
  add(bits, y.data());
  add(bits, ledger);
}

/// By name of the unit.
std::map<std::string, Bits> everything() {
  std::map<std::string, Bits> results;
  products(results["products"]);
  quantizers(results["quantizers"]);
  norms(results["norms"]);
  softmax(results["softmax"]);
  rotation(results["rotate"]);
  epilogues(results["epilogue"]);
  return results;
}

void expect_equal(const std::map<std::string, Bits>& actual, const std::map<std::string, Bits>& expected) {
  for (const auto& [name, bits] : expected) {
    EXPECT_GT(bits.size(), 100u);
    EXPECT_TRUE(actual.at(name) == bits) << name;
  }
}

#if defined(__SSE2__)
/// For its lifetime.
class HostState {
 public:
  explicit HostState(unsigned state) : before_(_mm_getcsr()) { _mm_setcsr(state); }
  ~HostState() { _mm_setcsr(before_); }
  HostState(const HostState&) = delete;
  HostState& operator=(const HostState&) = delete;

 private:
  unsigned before_;
};

unsigned control_state() { return _mm_getcsr() & ~0x3fU; }  // without the sticky flags

TEST(HostProgramTest, FloatingPointStateDoesNotMatterAndIsLeftAlone) {
  test::on_every_vector_target([] {
    const auto expected = everything();
    // Subnormals are zero; rounding down, up and to zero; the last with subnormals as zero.
    for (const unsigned state : {0x9fc0U, 0x3f80U, 0x5f80U, 0xffc0U}) {
      std::map<std::string, Bits> bits;
      {
        const HostState host(state);
        bits = everything();
        EXPECT_EQ(control_state(), state);
      }
      SCOPED_TRACE(state);
      expect_equal(bits, expected);
    }
  });
}
#endif

TEST(HostProgramTest, RoundingModeOfTheHostDoesNotMatter) {
  const auto expected = everything();
  for (const int mode : {FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO}) {
    std::fesetround(mode);
    const auto bits = everything();
    const int left = std::fegetround();
    std::fesetround(FE_TONEAREST);
    EXPECT_EQ(left, mode);
    SCOPED_TRACE(mode);
    expect_equal(bits, expected);
  }
}

#if !defined(__SANITIZE_ADDRESS__)
TEST(HostProgramTest, ThreadWithAStackOf64KiB) {
  constexpr std::size_t kStackBytes = 64 * 1024;
  test::on_every_vector_target([] {
    const auto expected = everything();
    std::map<std::string, Bits> bits;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    ASSERT_EQ(pthread_attr_setstacksize(&attributes, kStackBytes), 0);
    pthread_t thread;
    const auto body = [](void* result) -> void* {
      *static_cast<std::map<std::string, Bits>*>(result) = everything();
      return nullptr;
    };
    ASSERT_EQ(pthread_create(&thread, &attributes, body, &bits), 0);
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
    expect_equal(bits, expected);
  });
}
#endif

}  // namespace
}  // namespace guardbit::units
