#include "sim/probe/quantize_tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "models/kernels/int_quantize.h"
#include "models/kernels/scalar_rounder.h"
#include "models/numerics/codec.h"
#include "models/numerics/random_bits.h"
#include "sim/base/error.h"
#include "sim/base/memory.h"
#include "sim/probe/value_statistics.h"
#include "sim/trace/encoded_tensors.h"
#include "sim/trace/npy.h"
#include "sim/trace/safetensors.h"

namespace guardbit::sim {
namespace {

using numerics::Event;
using numerics::EventCounts;
using numerics::Matrix;

struct InputTensor {
  std::string name;
  std::vector<std::uint64_t> shape;
  Matrix<float> values;
};

bool is_npy(const std::filesystem::path& file) { return file.extension() == ".npy"; }

void check_names(const QuantizeOptions& options) {
  for (const std::filesystem::path& file : {options.input, options.output}) {
    if (is_npy(file) || file.extension() == ".safetensors") continue;
    throw UserError(ExitCode::kUsage,
                    fmt::format("{}: expected a name that ends in .npy or .safetensors", file.string()));
  }
  if (is_npy(options.input) && !options.tensors.empty()) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--tensor: {} holds one tensor without a name", options.input.string()));
  }
  if (is_npy(options.output) && options.scale != ScaleKind::kNone && !options.carrier) {
    throw UserError(ExitCode::kUsage, fmt::format("{}: a .npy file has no place for scales; expected .safetensors, or "
                                                  "--carrier for values with their scales applied",
                                                  options.output.string()));
  }
}

/// Values as read, as held, and codes.
void require_tensor_memory(std::uint64_t num_elements, const std::string& what) {
  constexpr double kBytesPerElement = 4 + 4 + 4;
  require_memory(kBytesPerElement * static_cast<double>(num_elements), what);
}

std::vector<InputTensor> read_input(const QuantizeOptions& options) {
  std::vector<InputTensor> tensors;
  if (is_npy(options.input)) {
    const NpyFile file(options.input);
    require_tensor_memory(file.header().num_elements, options.input.string());
    tensors.push_back({"", file.header().shape, file.read(false)});
    return tensors;
  }
  const SafetensorsFile file(options.input);
  std::vector<std::string> names = options.tensors;
  if (names.empty()) {
    for (const auto& [name, info] : file.tensors()) names.push_back(name);
  }
  std::uint64_t num_elements = 0;
  for (const std::string& name : names) {
    if (!file.contains(name)) {
      throw UserError(ExitCode::kUsage, fmt::format("--tensor: {} has no tensor '{}'", options.input.string(), name));
    }
    const TensorInfo& info = file.tensors().at(name);
    if (info.shape.empty() || info.shape.size() > 2) {
      throw UserError(ExitCode::kMalformedInput, fmt::format("{}: tensor '{}': got rank {}; expected 1 or 2",
                                                             options.input.string(), name, info.shape.size()));
    }
    num_elements += (info.end - info.begin) * 8 / info.dtype.num_bits;
  }
  if (names.empty()) {
    throw UserError(ExitCode::kMalformedInput,
                    fmt::format("{}: no tensors; expected at least one", options.input.string()));
  }
  require_tensor_memory(num_elements, options.input.string());
  for (const std::string& name : names) {
    const TensorInfo& info = file.tensors().at(name);
    const std::size_t rows = info.shape.size() == 1 ? 1 : info.shape[0];
    tensors.push_back({name, info.shape, file.read_matrix(name, rows, info.shape.back())});
  }
  if (is_npy(options.output) && tensors.size() != 1) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("{}: got {} tensors for a .npy file, which holds one; expected --tensor",
                                options.output.string(), tensors.size()));
  }
  return tensors;
}

/// fp32(max |x| / largest), positive and finite; a row of zeros has scale 1.
float scale_of(std::span<const float> x, float largest, bool pow2) {
  const float max_abs = kernels::max_abs(x);
  if (max_abs == 0) return 1;
  using Limits = std::numeric_limits<float>;
  const float scale = std::clamp(max_abs / largest, Limits::denorm_min(), Limits::max());
  if (!pow2) return scale;
  int exponent = 0;
  const bool exact = std::frexp(scale, &exponent) == 0.5F;
  return std::ldexp(1.0F, std::min(exact ? exponent - 1 : exponent, Limits::max_exponent - 1));
}

std::vector<float> scales_of(const Matrix<float>& x, const QuantizeOptions& options) {
  const float largest =
      options.integer ? static_cast<float>(options.integer->max()) : numerics::max_finite(options.spec.format);
  switch (options.scale) {
    case ScaleKind::kNone: return {};
    case ScaleKind::kTensor: return {scale_of(x.data(), largest, options.pow2)};
    case ScaleKind::kRow: break;
  }
  std::vector<float> scales(x.rows());
  for (std::size_t row = 0; row < x.rows(); ++row) {
    scales[row] = scale_of({x.row(row), x.cols()}, largest, options.pow2);
  }
  return scales;
}

float scale_at(const std::vector<float>& scales, std::size_t row) {
  if (scales.empty()) return 1;
  return scales.size() == 1 ? scales[0] : scales[row];
}

/// What one block of rows contributes.
struct BlockStatistics {
  EventCounts events;
  ErrorSums errors;
  ExponentHistogram inputs;
  ExponentHistogram outputs;
};

/// One row into `values`, in units of its scale.
void convert_row(std::span<const float> x, float scale, const QuantizeOptions& options,
                 const numerics::RandomStream& stream, std::size_t row, std::span<float> values, EventCounts& events) {
  if (options.integer) {
    std::vector<std::int8_t> codes(x.size());
    kernels::quantize_row(x, scale, options.integer->bits, codes, events);
    std::copy(codes.begin(), codes.end(), values.begin());
    return;
  }
  const kernels::ScalarRounder round(options.spec);
  const bool stochastic = options.spec.rounding == numerics::RoundingMode::kStochastic;
  for (std::size_t col = 0; col < x.size(); ++col) {
    const std::uint32_t random =
        stochastic ? stream(static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(col), 0) : 0;
    const std::uint64_t overflows = events[Event::kOverflow];
    values[col] = round.divide(x[col], scale, events, random);
    if (events[Event::kOverflow] != overflows) ++events[Event::kClipped];
    if (values[col] == 0 && x[col] != 0) ++events[Event::kZeroed];
  }
}

void add_statistics(std::span<const float> x, std::span<const float> values, float scale, BlockStatistics& block) {
  for (std::size_t col = 0; col < x.size(); ++col) {
    const auto exact = static_cast<double>(x[col]);
    const auto value = static_cast<double>(values[col]);
    add_value(block.inputs, exact / static_cast<double>(scale));
    add_value(block.outputs, value);
    if (!std::isfinite(exact) || !std::isfinite(value)) {
      block.errors.leave_out();
    } else {
      block.errors.add(value * static_cast<double>(scale) - exact, exact);
    }
  }
}

/// Converts x in place and says what happened.
QuantizedTensor convert(InputTensor& tensor, const std::vector<float>& scales, std::uint32_t unit,
                        const QuantizeOptions& options) {
  Matrix<float>& x = tensor.values;
  constexpr std::size_t kElementsPerBlock = 1 << 16;
  const std::size_t rows_per_block = std::max<std::size_t>(1, kElementsPerBlock / std::max<std::size_t>(1, x.cols()));
  std::vector<BlockStatistics> blocks((x.rows() + rows_per_block - 1) / rows_per_block);
  const numerics::RandomStream stream{.seed = options.seed, .unit = unit};
  numerics::run_parallel(options.parallel_for, blocks.size(), [&](std::size_t index) {
    std::vector<float> values(x.cols());
    const std::size_t end = std::min(x.rows(), (index + 1) * rows_per_block);
    for (std::size_t row = index * rows_per_block; row < end; ++row) {
      const float scale = scale_at(scales, row);
      const std::span<float> inputs(x.row(row), x.cols());
      convert_row(inputs, scale, options, stream, row, values, blocks[index].events);
      add_statistics(inputs, values, scale, blocks[index]);
      std::copy(values.begin(), values.end(), inputs.begin());
    }
  });
  QuantizedTensor result;
  result.name = tensor.name;
  result.shape = tensor.shape;
  ErrorSums errors;
  for (const BlockStatistics& block : blocks) {
    result.events += block.events;
    errors.merge(block.errors);
    merge(result.inputs, block.inputs);
    merge(result.outputs, block.outputs);
  }
  result.error = errors.finish();
  result.num_scales = scales.size();
  if (!scales.empty()) {
    result.min_scale = *std::min_element(scales.begin(), scales.end());
    result.max_scale = *std::max_element(scales.begin(), scales.end());
  }
  return result;
}

template <class T>
std::vector<unsigned char> bytes_of(const std::vector<T>& values) {
  std::vector<unsigned char> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <class Code>
std::vector<unsigned char> codes_of(const Matrix<float>& values, const numerics::FloatFormat& format) {
  std::vector<Code> codes(values.data().size());
  std::transform(values.data().begin(), values.data().end(), codes.begin(),
                 [&](float value) { return static_cast<Code>(numerics::from_carrier(value, format)); });
  return bytes_of(codes);
}

/// What is written for a tensor that was converted.
EncodedTensor encode(const InputTensor& tensor, const std::vector<float>& scales, const QuantizeOptions& options) {
  const Matrix<float>& values = tensor.values;
  if (options.carrier) {
    std::vector<float> scaled = values.data();
    for (std::size_t i = 0; i < scaled.size(); ++i) scaled[i] *= scale_at(scales, i / values.cols());
    return {tensor.name, "F32", tensor.shape, bytes_of(scaled)};
  }
  if (options.integer) {
    std::vector<std::int8_t> codes(values.data().size());
    std::transform(values.data().begin(), values.data().end(), codes.begin(),
                   [](float value) { return static_cast<std::int8_t>(value); });
    return {tensor.name, "I8", tensor.shape, bytes_of(codes)};
  }
  const numerics::FloatFormat& format = options.spec.format;
  if (format.storage_bits() <= 8) return {tensor.name, "U8", tensor.shape, codes_of<std::uint8_t>(values, format)};
  if (format.storage_bits() <= 16) return {tensor.name, "U16", tensor.shape, codes_of<std::uint16_t>(values, format)};
  return {tensor.name, "U32", tensor.shape, codes_of<std::uint32_t>(values, format)};
}

std::string scale_name(const QuantizeOptions& options) {
  switch (options.scale) {
    case ScaleKind::kNone: return "none";
    case ScaleKind::kTensor: return options.pow2 ? "tensor_pow2" : "tensor";
    case ScaleKind::kRow: return options.pow2 ? "row_pow2" : "row";
  }
  return "";  // unreachable
}

void write_output(const std::vector<EncodedTensor>& tensors, const QuantizeResult& result,
                  const std::filesystem::path& file) {
  if (is_npy(file)) {
    const EncodedTensor& tensor = tensors.front();
    const std::string descr = tensor.dtype == "F32"   ? "<f4"
                              : tensor.dtype == "I8"  ? "|i1"
                              : tensor.dtype == "U8"  ? "|u1"
                              : tensor.dtype == "U16" ? "<u2"
                                                      : "<u4";
    return write_npy(file, descr, tensor.shape, tensor.bytes);
  }
  write_encoded_tensors(file, tensors,
                        {{"guardbit.format", result.format},
                         {"guardbit.rounding", result.rounding},
                         {"guardbit.overflow", result.overflow},
                         {"guardbit.subnormals", result.subnormals},
                         {"guardbit.scale", result.scale}});
}

}  // namespace

QuantizeResult quantize_file(const QuantizeOptions& options) {
  check_names(options);
  QuantizeResult result;
  result.input = options.input.string();
  result.output = options.output.string();
  result.format = options.integer ? numerics::name_of(*options.integer) : numerics::name_of(options.spec.format);
  result.rounding = numerics::name_of(options.spec.rounding);
  result.overflow = numerics::name_of(options.spec.overflow);
  result.subnormals = options.spec.flush_output ? "flush" : "keep";
  result.scale = scale_name(options);
  result.least_exponent = options.integer ? 0 : options.spec.format.quantum_exponent();
  result.largest_exponent = options.integer ? options.integer->bits - 2 : options.spec.format.max_exponent();
  std::vector<InputTensor> inputs = read_input(options);
  std::vector<EncodedTensor> outputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::vector<float> scales = scales_of(inputs[i].values, options);
    result.tensors.push_back(convert(inputs[i], scales, static_cast<std::uint32_t>(i), options));
    for (const auto& [exponent, count] : result.tensors.back().inputs.exponents) {
      if (exponent < result.least_exponent) result.tensors.back().num_below += count;
      if (exponent > result.largest_exponent) result.tensors.back().num_above += count;
    }
    // A .npy tensor has no name of its own; in a safetensors file it gets one.
    if (inputs[i].name.empty()) inputs[i].name = "tensor";
    outputs.push_back(encode(inputs[i], scales, options));
    if (options.carrier || scales.empty()) continue;
    outputs.push_back({inputs[i].name + ".scale", "F32", {scales.size()}, bytes_of(scales)});
  }
  write_output(outputs, result, options.output);
  return result;
}

}  // namespace guardbit::sim
