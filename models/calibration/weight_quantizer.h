#pragma once
/// Integer grids for weights: rounding to nearest (RTN), symmetric or asymmetric, per tensor, output channel or group
/// of input channels, with a search for the clip ratio. The grids are also what GPTQ and AWQ round to.
#include <span>
#include <vector>

#include "models/calibration/method.h"
#include "models/transformer/model.h"

namespace guardbit::calibration {

struct WeightQuantizer {
  int bits = 4;             ///< 2..8
  std::size_t group = 0;    ///< input channels that share a grid; 0: all of an output channel
  bool asymmetric = false;  ///< with a zero point
  bool per_tensor = false;  ///< one grid for the whole matrix; not with group
  bool clip = false;        ///< the clip ratio 1, 0.975, ..., 0.4 with the least squared error instead of 1
};

/// Representable values scale * (code - zero_point) of codes least .. largest.
struct CodeGrid {
  float scale = 1;
  int zero_point = 0;
  int least = 0;
  int largest = 0;

  /// clamp(rne(x / scale) + zero_point); 0 stands for NaN.
  int code(double x) const;
  double value(int code) const { return static_cast<double>(scale) * (code - zero_point); }
};

/// The grid of values that share one, with ratio r (1 without `clip`):
///   symmetric   scale = fp32(r max|x| / (2^(b-1) - 1)), zero point 0, codes -2^(b-1) .. 2^(b-1) - 1
///   asymmetric  scale = fp32(r (max - min) / (2^b - 1)) of max >= 0 >= min, zero point rne(-r min / scale) - 2^(b-1),
///               clamped to the same codes: 0 is a value of the grid
/// Values that are all 0 have scale 1 and code = zero point = 0.
/// Test: tests/unit/weight_quantizer_test.cpp.
CodeGrid fit_grid(std::span<const double> values, const WeightQuantizer& quantizer);

/// RTN of w (N, K), whose values are rounded to fp32 first, as the hardware is given them; group need not divide K.
/// Test: tests/unit/weight_quantizer_test.cpp.
units::QuantizedWeight round_to_nearest(const numerics::Matrix<double>& w, const WeightQuantizer& quantizer);

/// What the codes stand for, in binary64.
numerics::Matrix<double> dequantize(const units::QuantizedWeight& weight);

/// The grid that a quantizing method's arguments `group`, `asym` and `clip` ask for, in options.weight_bits bits.
WeightQuantizer quantizer_of(const MethodArguments& arguments, const CalibrationOptions& options);

/// Says how the weights of a linear layer lie in memory: what store_codes says, for outlines.
void outline_codes(transformer::Op& op, const WeightQuantizer& quantizer);
/// Gives a linear layer the codes that the hardware multiplies; its weight stays what they stand for.
template <class T>
void store_codes(transformer::Model<T>& model, transformer::Op& op, units::QuantizedWeight codes);

/// Every linear layer but the head, which no method quantizes.
template <class T>
std::vector<transformer::Op*> quantized_layers(transformer::Model<T>& model);

/// RTN of all of them; what `rtn` does.
template <class T>
void round_layers_to_nearest(transformer::Model<T>& model, const WeightQuantizer& quantizer,
                             const MethodProgress& progress = {});

}  // namespace guardbit::calibration
