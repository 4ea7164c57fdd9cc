// dot_reference() against an execution of accumulation_spec.h in exact rationals that shares nothing with it but the
// descriptors and the random stream: bits and every event counter, on random specs, lengths and operands with specials.
#include <gtest/gtest.h>

#include <bit>
#include <random>

#include "models/arith/accumulator.h"
#include "models/numerics/codec.h"
#include "tests/support/rounding_oracle.h"
#include "tests/support/spec_sweep.h"

namespace guardbit::tests {
namespace {

using arith::AccumulationEvents;
using arith::AccumulationSpec;
using arith::IntAccumulationSpec;
using numerics::EventCounts;

constexpr std::uint32_t kSeed = 99;
constexpr int kNumFloatCases = 3000;
constexpr int kNumIntCases = 3000;

/// A term of a sum; `pending` marks the NaN of an unrounded 0 * inf, which the next rounding reports.
struct Term {
  Exact<Rational> value;
  bool pending = false;
};

Term carrier_term(float carrier) {
  return {value_of<Rational>(std::bit_cast<std::uint32_t>(carrier), numerics::kFp32)};
}
bool finite_and_not_zero(const Term& term) { return term.value.kind == Kind::kNumber && term.value.magnitude != 0; }

/// One output by the text of accumulation_spec.h.
class DotOracle {
 public:
  DotOracle(const AccumulationSpec& spec, const numerics::RandomStream& stream, arith::OutputIndex index)
      : spec_(spec), stream_(stream), index_(index) {}

  Exact<Rational> operator()(const std::vector<float>& a, const std::vector<float>& b,
                             const std::vector<float>& scales) {
    for (std::size_t k = 0; k < a.size(); ++k) products_.push_back(product(a[k], b[k], k));
    const std::size_t per_chunk = spec_.promote_every == 0 ? a.size() : static_cast<std::size_t>(spec_.promote_every);
    Term outer;
    for (std::size_t chunk = 0; chunk * per_chunk < a.size(); ++chunk) {
      const Term acc = reduce_chunk(chunk, per_chunk);
      if (spec_.promote_every == 0) return acc.value;
      const ExactResult<Rational> scaled_sum =
          oracle_product(carrier_term(scales.empty() ? 1.0F : scales[chunk]).value, acc.value);
      outer = add(outer, {scaled_sum.value, scaled_sum.invalid}, spec_.outer, 2, chunk, &events.outer, true);
    }
    return outer.value;
  }

  AccumulationEvents events;

 private:
  std::uint32_t random(const FloatSpec& spec, std::uint32_t stage, std::size_t step) const {
    if (spec.rounding != RoundingMode::kStochastic) return 0;
    return numerics::RandomStream{stream_.seed, stream_.unit * 4 + stage}(index_.row, index_.column,
                                                                          static_cast<std::uint32_t>(step));
  }

  Term product(float a, float b, std::size_t k) {
    const ExactResult<Rational> exact = oracle_product(carrier_term(a).value, carrier_term(b).value);
    if (!spec_.product) return {exact.value, exact.invalid};
    Expected<Rational> rounded =
        rational_oracle(spec_.product->format)(exact.value, *spec_.product, random(*spec_.product, 0, k));
    if (exact.invalid) rounded.events.add(Event::kInvalid);
    events.product.add(rounded.events);
    return {rounded.result};
  }

  Term add(const Term& x, const Term& y, const FloatSpec& spec, std::uint32_t stage, std::size_t step,
           EventCounts* counts, bool accumulation) {
    const ExactResult<Rational> exact = oracle_sum(x.value, y.value, spec.rounding);
    Expected<Rational> rounded = rational_oracle(spec.format)(exact.value, spec, random(spec, stage, step));
    const bool nan_operand = (x.value.kind == Kind::kNan && !x.pending) || (y.value.kind == Kind::kNan && !y.pending);
    if ((exact.invalid || x.pending || y.pending) && !nan_operand) rounded.events.add(Event::kInvalid);
    if (accumulation && finite_and_not_zero(x) && finite_and_not_zero(y) && rounded.result == x.value) {
      rounded.events.add(Event::kSwamped);
    }
    counts->add(rounded.events);
    return {rounded.result};
  }

  /// Node `j` of a level of the tree; level 0 are the leaves of the step that begins at product `begin`.
  Term node(std::size_t level, std::size_t j, std::size_t begin, std::size_t end, std::size_t global_step) {
    if (level == 0) return begin + j < end ? products_[begin + j] : Term{};
    const auto width = static_cast<std::size_t>(spec_.width);
    const Term left = node(level - 1, 2 * j, begin, end, global_step);
    const Term right = node(level - 1, 2 * j + 1, begin, end, global_step);
    const std::size_t nodes_below = width - (width >> (level - 1));
    return add(left, right, spec_.inner, 1, global_step * width + nodes_below + j, &events.inner, false);
  }

  Term reduce_chunk(std::size_t chunk, std::size_t per_chunk) {
    const bool tree = spec_.reduce == arith::Reduce::kTree;
    const auto width = tree ? static_cast<std::size_t>(spec_.width) : 1;
    const auto num_accumulators = static_cast<std::size_t>(spec_.interleave);
    const std::size_t begin = chunk * per_chunk;
    const std::size_t end = std::min(begin + per_chunk, products_.size());
    const std::size_t steps_before = chunk * ((per_chunk + width - 1) / width);
    std::vector<Term> acc(num_accumulators);
    for (std::size_t step = 0; begin + step * width < end; ++step) {
      const std::size_t global_step = steps_before + step;
      const std::size_t first = begin + step * width;
      const Term addend =
          tree ? node(static_cast<std::size_t>(std::countr_zero(width)), 0, first, end, global_step) : products_[first];
      Term& target = acc[step % num_accumulators];
      target = add(target, addend, spec_.inner, 1, global_step * width + width - 1, &events.inner, true);
    }
    for (std::size_t i = 1; i < num_accumulators; ++i) {
      acc[0] = add(acc[0], acc[i], spec_.inner, 1, (std::size_t{1} << 31) + chunk * num_accumulators + i, &events.inner,
                   true);
    }
    return acc[0];
  }

  const AccumulationSpec& spec_;
  numerics::RandomStream stream_;
  arith::OutputIndex index_;
  std::vector<Term> products_;
};

class AccumulatorDifferentialTest : public testing::Test {
 protected:
  std::size_t below(std::size_t end) { return random_() % end; }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }
  FloatFormat format_named(std::initializer_list<const char*> names) {
    return numerics::parse_float_format(one_of(names)).value();
  }

  FloatSpec any_float_spec() {
    const std::vector<FloatSpec> specs = all_specs(
        format_named({"fp16", "fp16", "bf16", "fp32", "fp8_e5m2", "fp8_e4m3", "fp8_e4m3fnuz", "fp6_e3m2", "e6m9"}));
    FloatSpec spec = below(2) == 0 ? specs[below(4)] : specs[below(specs.size())];
    spec.random_bits = 1 + static_cast<int>(below(32));
    return spec;
  }

  AccumulationSpec any_accumulation() {
    AccumulationSpec spec;
    spec.reduce = one_of({arith::Reduce::kSequential, arith::Reduce::kTree});
    if (spec.reduce == arith::Reduce::kTree) spec.width = one_of({2, 4, 8, 16, 64});
    spec.interleave = one_of({1, 1, 2, 3, 16});
    if (below(3) == 0) spec.product = any_float_spec();
    spec.inner = any_float_spec();
    spec.promote_every = one_of({0, 0, 1, 3, 8, 20});
    spec.outer = any_float_spec();
    return spec;
  }

  /// Values of `format` around 1, or any code at all, specials included; and every now and then a zero of either sign.
  std::vector<float> operands(std::size_t length, const FloatFormat& format, bool any_code) {
    std::vector<float> values(length);
    for (float& value : values) {
      const auto random = static_cast<std::uint32_t>(random_());
      std::uint32_t code = random & (2 * format.sign_code() - 1);
      if (!any_code) {
        const auto biased = static_cast<std::uint32_t>(format.bias) - 1 + random_() % 4;
        code = (code & (format.sign_code() | ((1u << format.trailing_bits) - 1))) |
               static_cast<std::uint32_t>(biased << format.trailing_bits);
      }
      if (below(10) == 0) code &= format.sign_code();
      value = numerics::to_carrier(code, format);
    }
    return values;
  }

  std::vector<float> any_scales(std::size_t count) {
    std::vector<float> scales(count);
    for (float& scale : scales) scale = one_of({1.0F, 0.5F, -0x1.8p-3F, 0x1.fffffep5F, 0x1.234568p-9F, 0.0F});
    return scales;
  }

  std::mt19937 random_{kSeed};
};

std::string describe(const AccumulationSpec& spec) {
  return std::string(spec.reduce == arith::Reduce::kTree ? "tree " : "sequential ") + std::to_string(spec.width) +
         " interleave " + std::to_string(spec.interleave) + " product " +
         (spec.product ? to_string(*spec.product) : "exact") + " inner " + to_string(spec.inner) + " promote " +
         std::to_string(spec.promote_every) + " outer " + to_string(spec.outer);
}

void expect_same(float actual, const Exact<Rational>& expected, const AccumulationEvents& actual_events,
                 const AccumulationEvents& expected_events) {
  const auto bits = std::bit_cast<std::uint32_t>(actual);
  EXPECT_EQ(value_of<Rational>(bits, numerics::kFp32), expected) << std::hexfloat << actual;
  if (expected.kind == Kind::kNan) {
    EXPECT_EQ(bits, 0x7FC00000U);
  }
  EXPECT_EQ(actual_events.product.counts, expected_events.product.counts);
  EXPECT_EQ(actual_events.inner.counts, expected_events.inner.counts);
  EXPECT_EQ(actual_events.outer.counts, expected_events.outer.counts);
}

TEST_F(AccumulatorDifferentialTest, FloatSpecsMatchRationalExecution) {
  for (int i = 0; i < kNumFloatCases && !HasFailure(); ++i) {
    const AccumulationSpec spec = any_accumulation();
    const std::size_t length = below(41);
    const FloatFormat format = format_named({"fp8_e4m3", "fp8_e5m2", "fp16", "bf16", "fp32"});
    const bool any_code = below(6) == 0;
    const std::vector<float> a = operands(length, format, any_code);
    const std::vector<float> b = operands(length, format, any_code);
    const auto promote_every = static_cast<std::size_t>(spec.promote_every);
    const std::vector<float> scales = promote_every != 0 && below(2) == 0
                                          ? any_scales((length + promote_every - 1) / promote_every)
                                          : std::vector<float>{};
    const numerics::RandomStream stream{.seed = random_(), .unit = 5};
    const arith::OutputIndex index{static_cast<std::uint32_t>(below(100)), static_cast<std::uint32_t>(below(100))};

    DotOracle oracle(spec, stream, index);
    const Exact<Rational> expected = oracle(a, b, scales);
    AccumulationEvents events;
    const float actual = arith::dot_reference(a, b, spec, scales, stream, index, events);
    SCOPED_TRACE("case " + std::to_string(i) + " of seed " + std::to_string(kSeed) + ": " + describe(spec) + " K " +
                 std::to_string(length) + " operands " + numerics::name_of(format));
    expect_same(actual, expected, events, oracle.events);
  }
}

/// The integer accumulator in unbounded integers, brought into range by division.
Exact<Rational> int_oracle(const std::vector<std::int8_t>& a, const std::vector<std::int8_t>& b,
                           const IntAccumulationSpec& spec, const std::vector<float>& scales,
                           AccumulationEvents& events) {
  const Rational max = scaled(1, spec.inner.bits - 1, Rational(0)) - 1;
  const Rational modulus = scaled(1, spec.inner.bits, Rational(0));
  const std::size_t per_chunk = spec.promote_every == 0 ? a.size() : static_cast<std::size_t>(spec.promote_every);
  const auto oracle = rational_oracle(spec.outer.format);
  Exact<Rational> outer;
  for (std::size_t begin = 0, chunk = 0; begin < a.size(); begin += per_chunk, ++chunk) {
    Rational sum = 0;
    for (std::size_t k = begin; k < std::min(begin + per_chunk, a.size()); ++k) {
      sum += a[k] * b[k];
      const bool too_large = sum > max;
      if (!too_large && sum >= -max - 1) continue;
      const bool wraps = spec.overflow == numerics::IntOverflow::kWrap;
      events.inner.add({wraps ? Event::kWrapped : Event::kSaturated});
      if (!wraps) sum = too_large ? max : Rational(-max - 1);
      while (sum > max) sum -= modulus;
      while (sum < -max - 1) sum += modulus;
    }
    const Exact<Rational> inner{Kind::kNumber, sum < 0, sum < 0 ? Rational(-sum) : sum};
    const Exact<Rational> scale = carrier_term(scales.empty() ? 1.0F : scales[chunk]).value;
    const Exact<Rational> addend = oracle_product(scale, inner).value;
    Expected<Rational> next = oracle(oracle_sum(outer, addend, spec.outer.rounding).value, spec.outer);
    if (!outer.is_zero() && outer.kind == Kind::kNumber && !addend.is_zero() && next.result == outer) {
      next.events.add(Event::kSwamped);
    }
    events.outer.add(next.events);
    outer = next.result;
  }
  return outer;
}

TEST_F(AccumulatorDifferentialTest, IntegerSpecsMatchRationalExecution) {
  for (int i = 0; i < kNumIntCases && !HasFailure(); ++i) {
    IntAccumulationSpec spec;
    spec.inner.bits = one_of({2, 7, 12, 15, 16, 19, 24, 31, 32});
    spec.overflow = one_of({numerics::IntOverflow::kWrap, numerics::IntOverflow::kSaturate});
    spec.promote_every = one_of({0, 1, 7, 32, 128});
    do {
      spec.outer = any_float_spec();
    } while (spec.outer.rounding == RoundingMode::kStochastic);  // its random steps are pinned by the float test
    const std::size_t length = below(100);
    std::vector<std::int8_t> a(length);
    std::vector<std::int8_t> b(length);
    for (auto* operands : {&a, &b}) {
      for (std::int8_t& value : *operands) value = static_cast<std::int8_t>(below(4) == 0 ? -128 : below(256));
    }
    const std::size_t per_chunk =
        spec.promote_every == 0 ? std::max<std::size_t>(length, 1) : static_cast<std::size_t>(spec.promote_every);
    const std::vector<float> scales =
        below(2) == 0 ? any_scales((length + per_chunk - 1) / per_chunk) : std::vector<float>{};

    AccumulationEvents expected_events;
    const Exact<Rational> expected = int_oracle(a, b, spec, scales, expected_events);
    AccumulationEvents events;
    const float actual = arith::dot_reference(a, b, spec, scales, {}, {}, events);
    SCOPED_TRACE("case " + std::to_string(i) + " of seed " + std::to_string(kSeed) + ": int" +
                 std::to_string(spec.inner.bits) + " promote " + std::to_string(spec.promote_every) + " outer " +
                 to_string(spec.outer) + " K " + std::to_string(length));
    expect_same(actual, expected, events, expected_events);
  }
}

}  // namespace
}  // namespace guardbit::tests
