#include "models/units/pe_arithmetic.h"

#include <bit>

namespace guardbit::units {

using arith::Reduce;

PeArithmetic::PeArithmetic(const MatrixMode& mode, const numerics::RandomStream& stream)
    : mode_(mode), stream_(stream), inner_stream_(arith::stage_stream(stream, arith::RandomStage::kInner)) {
  const arith::AccumulationSpec& spec = mode.float_spec;
  if (mode.integer) return;
  is_fixed_ = spec.reduce == Reduce::kFixed;
  draws_ = spec.inner.rounding == numerics::RoundingMode::kStochastic;
  if (spec.reduce == Reduce::kSequential && !spec.product) sequential_.emplace(spec.inner);
}

SumBits PeArithmetic::step(SumBits sum, const void* a, const void* b, std::size_t count, const PePlace& place,
                           arith::AccumulationEvents& events) {
  if (!mode_.integer) {
    const std::span x(static_cast<const float*>(a), count);
    const std::span y(static_cast<const float*>(b), count);
    if (is_fixed_) {
      const SumBits word = sum == 0 ? take_fixed() : sum;
      arith::fixed_step(fixed(word), chunk_of(x, y, place), mode_.float_spec, events);
      return word;
    }
    return std::bit_cast<SumBits>(float_step(std::bit_cast<float>(sum), x, y, place, events));
  }
  const auto* x = static_cast<const std::int8_t*>(a);
  const auto* y = static_cast<const std::int8_t*>(b);
  std::int64_t acc = std::bit_cast<std::int32_t>(sum);
  for (std::size_t i = 0; i < count; ++i) acc = arith::integer_step(acc, x[i], y[i], mode_.int_spec, events);
  return std::bit_cast<SumBits>(static_cast<std::int32_t>(acc));
}

float PeArithmetic::float_step(float sum, std::span<const float> a, std::span<const float> b, const PePlace& place,
                               arith::AccumulationEvents& events) const {
  if (sequential_) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      const auto k = place.first_k + static_cast<std::uint32_t>(i);
      const std::uint32_t random = draws_ ? inner_stream_(place.output.row, place.output.column, k) : 0;
      sum = sequential_->accumulate_product(sum, a[i], b[i], events.inner, random);
    }
    return sum;
  }
  const arith::AccumulationSpec& spec = mode_.float_spec;
  const arith::FloatChunk step = chunk_of(a, b, place);
  if (spec.reduce == Reduce::kSequential) return arith::sequential_step(sum, step, spec, events);
  const std::uint32_t number = arith::first_step_number(place.chunk, spec) + place.step;
  return spec.reduce == Reduce::kTree ? arith::tree_step(sum, step, number, spec, events)
                                      : arith::aligned_step(sum, step, number, spec, events);
}

/// What lies at `place`, products a[i] * b[i].
arith::FloatChunk PeArithmetic::chunk_of(std::span<const float> a, std::span<const float> b,
                                         const PePlace& place) const {
  return {
      .a = a, .b = b, .chunk_index = place.chunk, .first_k = place.first_k, .stream = stream_, .index = place.output};
}

/// A register that holds +0.
SumBits PeArithmetic::take_fixed() {
  if (free_words_.empty()) {
    fixed_sums_.emplace_back();
    return static_cast<SumBits>(fixed_sums_.size());
  }
  const SumBits word = free_words_.back();
  free_words_.pop_back();
  fixed(word) = {};
  return word;
}

SumBits PeArithmetic::merge(SumBits acc_0, SumBits acc_i, std::uint32_t i, const PePlace& place,
                            arith::AccumulationEvents& events) {
  const arith::FloatChunk chunk = chunk_of({}, {}, place);
  if (is_fixed_) {
    if (acc_i == 0) return acc_0;
    arith::fixed_merge(fixed(acc_0), fixed(acc_i), mode_.float_spec, events);
    release(acc_i);
    return acc_0;
  }
  return std::bit_cast<SumBits>(
      arith::merge_step(std::bit_cast<float>(acc_0), std::bit_cast<float>(acc_i), i, chunk, mode_.float_spec, events));
}

/// A float sum as it leaves the column; a fixed-point one is rounded here.
float PeArithmetic::finished(SumBits sum, const PePlace& place, arith::AccumulationEvents& events) {
  if (!is_fixed_) return std::bit_cast<float>(sum);
  const float result = arith::fixed_result(fixed(sum), chunk_of({}, {}, place), mode_.float_spec, events);
  release(sum);
  return result;
}

float PeArithmetic::deliver(float outer, SumBits sum, float scale, const PePlace& place,
                            arith::AccumulationEvents& events, std::int64_t correction) {
  if (mode_.integer) {
    return arith::promote(outer, scale, std::bit_cast<std::int32_t>(sum) + correction, mode_.int_spec.outer, stream_,
                          place.output, place.chunk, events);
  }
  const float acc = finished(sum, place, events);
  if (mode_.float_spec.promote_every == 0) return acc;
  return arith::promote(outer, scale, acc, mode_.float_spec.outer, stream_, place.output, place.chunk, events);
}

}  // namespace guardbit::units
