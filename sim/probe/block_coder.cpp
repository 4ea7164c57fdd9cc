#include <algorithm>
#include <cmath>

#include "models/numerics/codec.h"
#include "models/numerics/random_bits.h"
#include "sim/probe/block_layout.h"
#include "sim/probe/coding_parts.h"

namespace guardbit::sim {
namespace {

using numerics::BlockFormat;
using numerics::BlockScale;

float largest_finite_magnitude(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) {
    if (std::isfinite(value)) largest = std::max(largest, std::fabs(value));
  }
  return largest;
}

/// An element's value in units of the scale: dequantize() with the scale's code for 1.
double element_value(std::uint8_t code, const BlockFormat& format) {
  constexpr std::uint8_t kE8M0One = 127;
  const auto e4m3_one = static_cast<std::uint8_t>(numerics::from_carrier(1, numerics::kFp8E4M3));
  return numerics::dequantize(code, format.scale == BlockScale::kE8M0 ? kE8M0One : e4m3_one, format, 1.0F);
}

/// What is filled block by block; blocks touch different elements.
struct BlockOutputs {
  CodeArray codes;
  CodeArray scales;
  std::vector<float> carriers;
  std::vector<float> scale_values;
};

class BlockCoder {
 public:
  BlockCoder(const SourceTensor& tensor, const TensorCoding& coding, const BlockLayout& layout)
      : x_(tensor.values),
        blocks_(std::get<BlockCoding>(coding.destination)),
        format_(blocks_.format.format),
        layout_(layout),
        stream_{.seed = coding.seed, .unit = tensor.index} {
    if (format_.scale == BlockScale::kE4M3) {
      tensor_scale_ = numerics::nvfp4_tensor_scale(largest_finite_magnitude(x_.data()));
    }
  }

  float tensor_scale() const { return tensor_scale_; }

  void code_line(std::size_t line, bool carrier, BlockOutputs& outputs, CodingStatistics& statistics) const {
    const std::size_t first = layout_.begin(line, layout_.length);
    const std::size_t first_scale = layout_.begin(line, layout_.num_blocks);
    for (std::size_t block = 0; block < layout_.num_blocks; ++block) {
      const std::size_t begin = block * layout_.block_size;
      const std::size_t size = std::min(layout_.block_size, layout_.length - begin);
      code_block(first + begin * layout_.stride, size, first_scale + block * layout_.stride, carrier, outputs,
                 statistics);
    }
  }

 private:
  void code_block(std::size_t first, std::size_t size, std::size_t scale_index, bool carrier, BlockOutputs& outputs,
                  CodingStatistics& statistics) const {
    std::vector<float> values(size);
    std::vector<std::uint32_t> random;
    for (std::size_t i = 0; i < size; ++i) values[i] = x_.data()[first + i * layout_.stride];
    if (blocks_.rounding == numerics::RoundingMode::kStochastic) {
      for (std::size_t i = 0; i < size; ++i) {
        const std::size_t at = first + i * layout_.stride;
        random.push_back(
            stream_(static_cast<std::uint32_t>(at / x_.cols()), static_cast<std::uint32_t>(at % x_.cols()), 0));
      }
    }
    const numerics::QuantizedBlock block = numerics::quantize_block(
        values, format_, {.rounding = blocks_.rounding, .random = random}, tensor_scale_, statistics.events);
    const double scale = numerics::scale_value(block.scale, format_.scale) * static_cast<double>(tensor_scale_);
    outputs.scale_values[scale_index] = static_cast<float>(scale);
    if (!carrier) outputs.scales.set(scale_index, block.scale);
    for (std::size_t i = 0; i < size; ++i) {
      statistics.add(values[i], element_value(block.codes[i], format_), scale);
      const std::size_t at = first + i * layout_.stride;
      if (carrier) {
        numerics::EventSet ignored;  // of the carrier, not of the format
        const double value = numerics::dequantize(block.codes[i], block.scale, format_, tensor_scale_);
        outputs.carriers[at] = numerics::round_carrier(value, {.format = numerics::kFp32}, ignored);
      } else {
        outputs.codes.set(at, block.codes[i]);
      }
    }
  }

  const numerics::Matrix<float>& x_;
  const BlockCoding& blocks_;
  const BlockFormat& format_;
  const BlockLayout& layout_;
  numerics::RandomStream stream_;
  float tensor_scale_ = 1;
};

}  // namespace

CodedTensor code_blocks(const SourceTensor& tensor, const TensorCoding& coding, bool carrier,
                        const numerics::ParallelFor& parallel_for) {
  const auto& blocks = std::get<BlockCoding>(coding.destination);
  const BlockLayout layout = layout_of(tensor.shape, blocks, tensor.name);
  const std::size_t num_elements = tensor.values.data().size();
  const std::size_t num_scales = layout.num_lines * layout.num_blocks;
  const bool is_integer = blocks.format.format.element_kind == numerics::BlockElement::kInt8;
  BlockOutputs outputs{CodeArray(carrier ? 0 : num_elements, 8, is_integer),
                       CodeArray(carrier ? 0 : num_scales, 8, false), std::vector<float>(carrier ? num_elements : 0),
                       std::vector<float>(num_scales)};
  const BlockCoder coder(tensor, coding, layout);
  constexpr std::size_t kElementsPerPiece = 1 << 14;
  const std::size_t lines_per_piece =
      std::max<std::size_t>(1, kElementsPerPiece / std::max<std::size_t>(1, layout.length));
  std::vector<CodingStatistics> pieces((layout.num_lines + lines_per_piece - 1) / lines_per_piece);
  numerics::run_parallel(parallel_for, pieces.size(), [&](std::size_t index) {
    const std::size_t end = std::min(layout.num_lines, (index + 1) * lines_per_piece);
    for (std::size_t line = index * lines_per_piece; line < end; ++line) {
      coder.code_line(line, carrier, outputs, pieces[index]);
    }
  });
  CodedTensor result;
  result.report = finish(tensor, coding, pieces, outputs.scale_values);
  if (blocks.format.format.scale == BlockScale::kE4M3) result.report.tensor_scale = coder.tensor_scale();
  if (carrier) {
    result.parts.push_back(float_tensor(tensor.name, tensor.shape, outputs.carriers));
    return result;
  }
  result.parts.push_back(outputs.codes.take(tensor.name, tensor.shape));
  result.parts.push_back(outputs.scales.take(tensor.name + ".scale", layout.scales_shape));
  if (result.report.tensor_scale) {
    const float scale = *result.report.tensor_scale;
    result.parts.push_back(float_tensor(tensor.name + ".tensor_scale", {1}, {&scale, 1}));
  }
  return result;
}

}  // namespace guardbit::sim
