#pragma once
/// What a replay says of the values that pass through norms, quantizers and linear layers. Plain data; docs/result.md
/// defines every figure.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/numerics/events.h"
#include "sim/stats/exponent_histogram.h"

namespace guardbit::sim {

/// Values that one quantizer saw, and what became of them.
struct QuantizerCounts {
  std::uint64_t values = 0;
  std::uint64_t clipped = 0;
  std::uint64_t zeroed = 0;  ///< not zero before, zero after
  friend bool operator==(const QuantizerCounts&, const QuantizerCounts&) = default;
};
/// The quantizers of an op: its activations (queries and probabilities are attention's), its weights (offline), keys
/// and values as operands of attention, and an integer KV cache that it writes.
inline constexpr std::array<std::string_view, 4> kQuantizerNames = {"activation", "weight", "keys_values", "kv_cache"};

/// Least, median (the lower one of two) and largest of a set of figures; all 0 if there are none.
struct Spread {
  std::uint64_t count = 0;
  double min = 0;
  double median = 0;
  double max = 0;
};

/// A token of the trace.
struct TokenPlace {
  std::uint64_t window = 0;
  std::uint64_t position = 0;
};

/// One kind of event in the statistics of a norm, by token.
struct TokenEvents {
  std::uint64_t tokens = 0;  ///< with at least one
  std::uint64_t events = 0;
  TokenPlace worst;  ///< the first token with the most
  std::uint64_t worst_events = 0;
};
/// The events that NormReport tells by token, in its order.
inline constexpr std::array kNormEvents = {numerics::Event::kOverflow, numerics::Event::kUnderflow,
                                           numerics::Event::kSwamped};

/// Range of the accumulator that sums a norm's squares.
struct AccumulatorRange {
  std::string format;
  int largest = 0;       ///< exponent of the largest finite value
  int least_normal = 0;  ///< of the smallest normal value
  int least = 0;         ///< of the smallest value that is kept: subnormals may be flushed
};

struct NormReport {
  std::uint64_t tokens = 0;
  std::uint64_t rows_per_token = 1;  ///< norms of heads: one per head
  std::array<TokenEvents, kNormEvents.size()> events;
  std::optional<double> predicted_norm;  ///< row length for which a static scale was made
  Spread reference_norm;                 ///< ||x|| of the fp32 forward's rows
  Spread simulated_norm;                 ///< ||x|| of the rows that the unit read
  Spread scaled_reference_norm;          ///< ||x / s||; count 0 with a dynamic scale
  Spread scaled_simulated_norm;          ///< ||x / s||, of a dynamic scale with each row's own s
  ExponentHistogram squares;             ///< exact squares of what the unit squares
  ExponentHistogram sums;                ///< their exact sums, one per row
  AccumulatorRange accumulator;
};

/// Outliers of a linear layer's input.
struct OutlierReport {
  struct Channel {
    std::uint64_t channel = 0;
    std::uint64_t tokens = 0;  ///< in which it holds an outlier
  };
  std::uint64_t tokens = 0;
  std::uint64_t left_out = 0;  ///< tokens with a value that is not finite; not among `tokens`
  std::uint64_t channels = 0;
  Spread ratio;  ///< by token: largest magnitude / sigma
  TokenPlace worst;
  std::uint64_t worst_channel = 0;
  std::uint64_t outlier_tokens = 0;  ///< with at least one outlier
  std::uint64_t outlier_values = 0;
  std::uint64_t channel_outliers = 0;              ///< channels
  std::vector<Channel> largest;                    ///< of these, at most kListedChannels with the most tokens
  std::uint64_t spike_values = 0;                  ///< outliers in other channels
  std::optional<std::uint64_t> victims;            ///< none: no scale is shared
  std::optional<std::uint64_t> smoothing_victims;  ///< none: not smoothed
};
inline constexpr std::size_t kListedChannels = 16;

/// Scales of runtime smoothing.
struct GroupScaleReport {
  std::uint64_t groups = 0;  ///< of one pass
  std::uint64_t passes = 0;  ///< each with its own scales
  Spread scale;
};

}  // namespace guardbit::sim
