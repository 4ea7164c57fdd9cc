#pragma once
/// Numeric events, their 64-bit counters, and the stages of a hardware unit in which they occur.
/// What raises each event is defined here and nowhere else; counts are exact, never sampled.
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace guardbit::numerics {

enum class Event : std::uint8_t {
  kOverflow,   ///< the result, rounded as if the exponent were unbounded, exceeds the largest finite (IEEE 754 7.4)
  kSaturated,  ///< an overflow was delivered as the largest finite value, or an integer result was clamped
  kWrapped,    ///< an integer result kept its low bits only
  kUnderflow,  ///< the result is tiny (see Tininess) and the delivered result differs from the exact one (7.5)
  kFlushed,    ///< a non-zero exact result, or a non-zero operand under flush_input, became zero
  kInvalid,    ///< a NaN came from operands of which none was a NaN
  kInexact,    ///< the delivered result differs from the exact one
  kSwamped,    ///< a non-zero addend left a non-zero finite accumulator's bits unchanged
  kClipped,    ///< a quantizer's input lay outside its representable range
  kZeroed,     ///< a quantizer sent a non-zero input to zero
};
inline constexpr std::size_t kNumEvents = 10;
inline constexpr std::array<std::string_view, kNumEvents> kEventNames = {
    "overflow", "saturated", "wrapped", "underflow", "flushed", "invalid", "inexact", "swamped", "clipped", "zeroed"};

/// Set of events, one bit each.
class EventSet {
 public:
  constexpr EventSet() = default;
  constexpr EventSet(std::initializer_list<Event> events) {
    for (const Event event : events) add(event);
  }
  constexpr void add(Event event) { bits_ |= bit(event); }
  constexpr bool has(Event event) const { return (bits_ & bit(event)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr EventSet operator|(EventSet other) const {
    other.bits_ |= bits_;
    return other;
  }
  constexpr EventSet& operator|=(EventSet other) { return *this = *this | other; }
  static constexpr EventSet all() {
    EventSet set;
    set.bits_ = (1u << kNumEvents) - 1;
    return set;
  }
  friend constexpr bool operator==(const EventSet&, const EventSet&) = default;

 private:
  static constexpr std::uint32_t bit(Event event) { return 1u << static_cast<unsigned>(event); }
  std::uint32_t bits_ = 0;
};

/// One 64-bit counter per event.
struct EventCounts {
  std::array<std::uint64_t, kNumEvents> counts{};

  constexpr std::uint64_t& operator[](Event event) { return counts[static_cast<std::size_t>(event)]; }
  constexpr std::uint64_t operator[](Event event) const { return counts[static_cast<std::size_t>(event)]; }
  constexpr void add(EventSet events) {
    for (std::size_t i = 0; i < kNumEvents; ++i) counts[i] += events.has(static_cast<Event>(i)) ? 1 : 0;
  }
  constexpr EventCounts& operator+=(const EventCounts& other) {
    for (std::size_t i = 0; i < kNumEvents; ++i) counts[i] += other.counts[i];
    return *this;
  }
  constexpr bool any() const { return *this != EventCounts{}; }
  friend constexpr bool operator==(const EventCounts&, const EventCounts&) = default;
};

/// Where in a unit an event arose. A report's place is (trace op, stage).
enum class Stage : std::uint8_t {
  kOperand,           ///< conversion of an operand into the matrix unit's operand format
  kProduct,           ///< rounding of single products
  kInnerAccumulator,  ///< the accumulator in the PE, tree nodes included
  kOuterAccumulator,  ///< the accumulator buffer, group scales included
  kEpilogue,          ///< dequantization scale and bias after the accumulation
  kScaledInput,       ///< a norm's input after multiplication by 1/s
  kSum,               ///< a norm's sum of inputs
  kSquare,            ///< a norm's squares (and centred inputs of two-pass statistics)
  kSumOfSquares,      ///< a norm's sum of squares
  kStatistics,        ///< mean, variance, epsilon
  kRsqrt,             ///< table lookup and Newton steps
  kNormalize,         ///< (x - mean) * inv_std * gamma + beta
  kRotate,            ///< Hadamard butterflies
  kSmooth,            ///< division by runtime smoothing scales
  kQuantizer,         ///< float to INT4/INT8/FP8 with a scale
  kVector,            ///< softmax, activation, residual and other element-wise arithmetic
  kStorage,           ///< conversion of a result into the storage format of tensors between units
};
inline constexpr std::size_t kNumStages = 17;
inline constexpr std::array<std::string_view, kNumStages> kStageNames = {"operand",
                                                                         "product",
                                                                         "inner_accumulator",
                                                                         "outer_accumulator",
                                                                         "epilogue",
                                                                         "scaled_input",
                                                                         "sum",
                                                                         "square",
                                                                         "sum_of_squares",
                                                                         "statistics",
                                                                         "rsqrt",
                                                                         "normalize",
                                                                         "rotate",
                                                                         "smooth",
                                                                         "quantizer",
                                                                         "vector",
                                                                         "storage"};

/// Event counters of one trace op, by stage.
struct EventLedger {
  std::array<EventCounts, kNumStages> stages{};

  constexpr EventCounts& operator[](Stage stage) { return stages[static_cast<std::size_t>(stage)]; }
  constexpr const EventCounts& operator[](Stage stage) const { return stages[static_cast<std::size_t>(stage)]; }
  constexpr EventLedger& operator+=(const EventLedger& other) {
    for (std::size_t i = 0; i < kNumStages; ++i) stages[i] += other.stages[i];
    return *this;
  }
  constexpr EventCounts total() const {
    EventCounts sum;
    for (const EventCounts& counts : stages) sum += counts;
    return sum;
  }
  friend constexpr bool operator==(const EventLedger&, const EventLedger&) = default;
};

}  // namespace guardbit::numerics
