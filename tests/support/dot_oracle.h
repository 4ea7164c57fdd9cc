#pragma once
/// An execution of accumulation_spec.h for one output in exact rationals. It shares nothing with the subject but the
/// descriptors and the random stream.
#include <bit>
#include <optional>
#include <vector>

#include "models/arith/accumulation_spec.h"
#include "models/arith/accumulator.h"
#include "tests/support/rounding_oracle.h"

namespace guardbit::tests {

using arith::AccumulationEvents;
using arith::AccumulationSpec;
using numerics::EventCounts;

/// A term of a sum; `pending` marks the NaN of an unrounded 0 * inf, which the next rounding reports.
struct Term {
  Exact<Rational> value;
  bool pending = false;
};

inline Term carrier_term(float carrier) {
  return {value_of<Rational>(std::bit_cast<std::uint32_t>(carrier), numerics::kFp32)};
}
inline bool finite_and_not_zero(const Term& term) {
  return term.value.kind == Kind::kNumber && term.value.magnitude != 0;
}

/// One output by the text of accumulation_spec.h.
class DotOracle {
 public:
  DotOracle(const AccumulationSpec& spec, const numerics::RandomStream& stream, arith::OutputIndex index)
      : spec_(spec), stream_(stream), index_(index) {}

  Exact<Rational> operator()(const std::vector<float>& a, const std::vector<float>& b,
                             const std::vector<float>& scales) {
    for (std::size_t k = 0; k < a.size(); ++k) {
      products_.push_back(product(a[k], b[k], k));
      product_exponents_.push_back(product_exponent(a[k], b[k], products_[k]));
    }
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
    if (spec_.reduce == arith::Reduce::kFixed) return reduce_fixed(chunk, per_chunk);
    const bool tree = spec_.reduce == arith::Reduce::kTree;
    const bool aligned = spec_.reduce == arith::Reduce::kAligned;
    const auto width = tree || aligned ? static_cast<std::size_t>(spec_.width) : 1;
    const auto num_accumulators = static_cast<std::size_t>(spec_.interleave);
    const std::size_t begin = chunk * per_chunk;
    const std::size_t end = std::min(begin + per_chunk, products_.size());
    const std::size_t steps_before = chunk * ((per_chunk + width - 1) / width);
    std::vector<Term> acc(num_accumulators);
    for (std::size_t step = 0; begin + step * width < end; ++step) {
      const std::size_t global_step = steps_before + step;
      const std::size_t first = begin + step * width;
      Term& target = acc[step % num_accumulators];
      if (aligned) {
        target = aligned_step(target, first, std::min(first + width, end), global_step * width + width - 1);
        continue;
      }
      const Term addend =
          tree ? node(static_cast<std::size_t>(std::countr_zero(width)), 0, first, end, global_step) : products_[first];
      target = add(target, addend, spec_.inner, 1, global_step * width + width - 1, &events.inner, true);
    }
    for (std::size_t i = 1; i < num_accumulators; ++i) {
      acc[0] = add(acc[0], acc[i], spec_.inner, 1, (std::size_t{1} << 31) + chunk * num_accumulators + i, &events.inner,
                   true);
    }
    return acc[0];
  }

  /// floor(log2 |x|), but not below emin.
  static int exponent_of(const Term& term, int emin) { return std::max(emin, floor_log2(term.value.magnitude)); }

  int product_exponent(float a, float b, const Term& product) const {
    if (!finite_and_not_zero(product)) return 0;
    if (spec_.product) return exponent_of(product, 1 - spec_.product->format.bias);
    return exponent_of(carrier_term(a), spec_.alignment.emin_a) + exponent_of(carrier_term(b), spec_.alignment.emin_b);
  }

  /// The term's value as a multiple of `quantum`.
  static Rational to_multiple(const Term& term, const Rational& quantum, RoundingMode mode) {
    const Rational steps = term.value.magnitude / quantum;
    const boost::multiprecision::cpp_int whole =
        boost::multiprecision::numerator(steps) / boost::multiprecision::denominator(steps);
    const Neighbours<Rational> grid{whole * quantum, (whole + 1) * quantum, (whole & 1) == 1};
    const Rational magnitude = choose(grid, term.value.magnitude, term.value.negative, {.rounding = mode}, 0);
    return term.value.negative ? Rational(-magnitude) : magnitude;
  }

  static Exact<Rational> signed_value(const Rational& value) {
    return {Kind::kNumber, value < 0, value < 0 ? Rational(-value) : value};
  }

  /// The sum of terms of which some are specials, or nothing; `*invalid` is the event.
  static std::optional<Exact<Rational>> special_sum(const std::vector<Term>& terms, bool* invalid) {
    const auto any = [&](auto holds) { return std::any_of(terms.begin(), terms.end(), holds); };
    const bool operand_nan = any([](const Term& t) { return t.value.kind == Kind::kNan && !t.pending; });
    const bool pending = any([](const Term& t) { return t.pending; });
    const bool plus = any([](const Term& t) { return t.value.kind == Kind::kInfinity && !t.value.negative; });
    const bool minus = any([](const Term& t) { return t.value.kind == Kind::kInfinity && t.value.negative; });
    *invalid = !operand_nan && (pending || (plus && minus));
    if (operand_nan || *invalid) return Exact<Rational>{Kind::kNan, false, 0};
    if (plus || minus) return Exact<Rational>{Kind::kInfinity, minus, 0};
    return std::nullopt;
  }

  /// Steps 1 to 4 of Alignment for the terms at the given exponents, none of them special.
  Exact<Rational> aligned_sum(const std::vector<Term>& terms, const std::vector<int>& exponents, bool* inexact) const {
    std::optional<int> largest;
    for (std::size_t i = 0; i < terms.size(); ++i) {
      if (!terms[i].value.is_zero()) largest = std::max(largest.value_or(exponents[i]), exponents[i]);
    }
    if (!largest) {
      const bool all_negative =
          std::all_of(terms.begin(), terms.end(), [](const Term& term) { return term.value.negative; });
      const bool any_negative =
          std::any_of(terms.begin(), terms.end(), [](const Term& term) { return term.value.negative; });
      const bool rounds_down = spec_.inner.rounding == RoundingMode::kTowardNegative;
      return {Kind::kNumber, all_negative || (any_negative && rounds_down), 0};
    }
    const Rational quantum = scaled(1, *largest - spec_.alignment.fraction_bits, Rational(0));
    Rational sum = 0;
    for (const Term& term : terms) {
      const Rational multiple = to_multiple(term, quantum, spec_.alignment.rounding);
      if (multiple != term.value.value()) *inexact = true;
      sum += multiple;
    }
    if (sum == 0) return {Kind::kNumber, spec_.inner.rounding == RoundingMode::kTowardNegative, 0};
    return signed_value(sum);
  }

  Term aligned_step(const Term& acc, std::size_t first, std::size_t last, std::size_t random_step) {
    const auto at = [](auto& list, std::size_t index) { return list.begin() + static_cast<std::ptrdiff_t>(index); };
    const std::vector<Term> products(at(products_, first), at(products_, last));
    std::vector<Term> terms = products;
    std::vector<int> exponents(at(product_exponents_, first), at(product_exponents_, last));
    terms.push_back(acc);
    bool invalid = false;
    bool inexact = false;
    std::optional<Exact<Rational>> exact = special_sum(terms, &invalid);
    if (!exact && spec_.alignment.align_accumulator) {
      exponents.push_back(acc.value.is_zero() ? 0 : exponent_of(acc, 1 - spec_.inner.format.bias));
      exact = aligned_sum(terms, exponents, &inexact);
    } else if (!exact) {
      exact = oracle_sum(acc.value, aligned_sum(products, exponents, &inexact), spec_.inner.rounding).value;
    }
    Expected<Rational> rounded =
        rational_oracle(spec_.inner.format)(*exact, spec_.inner, random(spec_.inner, 1, random_step));
    if (invalid) rounded.events.add(Event::kInvalid);
    if (inexact) rounded.events.add(Event::kInexact);
    Rational sum_of_products = 0;
    bool all_finite = finite_and_not_zero(acc);
    for (const Term& term : products) {
      all_finite = all_finite && term.value.kind == Kind::kNumber;
      if (all_finite) sum_of_products += term.value.value();
    }
    if (all_finite && sum_of_products != 0 && rounded.result == acc.value) rounded.events.add(Event::kSwamped);
    events.inner.add(rounded.events);
    return {rounded.result};
  }

  /// sum, brought into the range of the fixed-point accumulator.
  Rational into_range(const Rational& sum, EventSet& raised) const {
    const numerics::FixedFormat& format = spec_.fixed.format;
    const Rational half_range = scaled(1, format.integer_bits - 1, Rational(0));
    const Rational max = half_range - scaled(1, -format.fraction_bits, Rational(0));
    if (sum >= -half_range && sum <= max) return sum;
    if (spec_.fixed.overflow == numerics::IntOverflow::kSaturate) {
      raised.add(Event::kSaturated);
      return sum < 0 ? Rational(-half_range) : max;
    }
    raised.add(Event::kWrapped);
    const Rational turns = (sum + half_range) / (2 * half_range);
    boost::multiprecision::cpp_int whole =
        boost::multiprecision::numerator(turns) / boost::multiprecision::denominator(turns);
    if (whole > turns) --whole;  // floor
    return sum - whole * 2 * half_range;
  }

  /// acc + addend in the fixed-point accumulator; `addend` is a multiple of its quantum or special.
  Term fixed_add(const Term& acc, const Term& addend, bool inexact, bool addend_was_zero) {
    EventSet raised;
    bool invalid = false;
    Term next = acc;
    const std::optional<Exact<Rational>> special = special_sum({acc, addend}, &invalid);
    if (special) {
      next = {*special};
      if (invalid) raised.add(Event::kInvalid);
    } else {
      if (inexact) raised.add(Event::kInexact);
      next = {signed_value(into_range(acc.value.value() + addend.value.value(), raised))};
      if (!acc.value.is_zero() && !addend_was_zero && next.value == acc.value) raised.add(Event::kSwamped);
    }
    events.inner.add(raised);
    return next;
  }

  Term reduce_fixed(std::size_t chunk, std::size_t per_chunk) {
    const auto num_accumulators = static_cast<std::size_t>(spec_.interleave);
    const std::size_t begin = chunk * per_chunk;
    const Rational quantum = scaled(1, -spec_.fixed.format.fraction_bits, Rational(0));
    std::vector<Term> acc(num_accumulators);
    for (std::size_t k = begin; k < std::min(begin + per_chunk, products_.size()); ++k) {
      Term addend = products_[k];
      if (addend.value.kind == Kind::kNumber) {
        addend = {signed_value(to_multiple(addend, quantum, spec_.fixed.rounding))};
      }
      const bool inexact = addend.value.kind == Kind::kNumber && addend.value.value() != products_[k].value.value();
      Term& target = acc[(k - begin) % num_accumulators];
      target = fixed_add(target, addend, inexact, products_[k].value.is_zero());
    }
    for (std::size_t i = 1; i < num_accumulators; ++i) {
      acc[0] = fixed_add(acc[0], acc[i], false, acc[i].value.is_zero());
    }
    const std::uint32_t bits = random(spec_.inner, 1, (std::size_t{1} << 31) + chunk * num_accumulators);
    const Expected<Rational> rounded = rational_oracle(spec_.inner.format)(acc[0].value, spec_.inner, bits);
    events.inner.add(rounded.events);
    return {rounded.result};
  }

  const AccumulationSpec& spec_;
  numerics::RandomStream stream_;
  arith::OutputIndex index_;
  std::vector<Term> products_;
  std::vector<int> product_exponents_;
};

}  // namespace guardbit::tests
