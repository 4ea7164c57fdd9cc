// quantize and dequantize: what `guardbit quantize` does with a tensor of a file, and back.
#include <fmt/format.h>

#include "sim/base/error.h"
#include "sim/base/fp_environment.h"
#include "sim/base/memory.h"
#include "sim/probe/coding_words.h"
#include "sim/probe/tensor_decoder.h"
#include "sim/python/array_input.h"
#include "sim/python/array_output.h"
#include "sim/python/bindings.h"
#include "sim/replay/build_info.h"
#include "sim/report/probe_report.h"

namespace guardbit::sim::python {
namespace {

namespace py = pybind11;

/// Name of a part in the dictionary that quantize() returns: that in a file without the tensor's.
std::string part_name(const std::string& stored, const std::string& tensor, bool carrier) {
  if (stored == tensor) return carrier ? "values" : "codes";
  return stored.substr(tensor.size() + 1);
}

/// ({"codes", "scale", "zero_point", "tensor_scale"} or {"values"}, report)
py::tuple quantize(const py::object& x, const py::dict& options) {
  const FpEnvironment environment;
  const TensorCoding coding = parse_coding({.format = option<std::string>(options, "format"),
                                            .rounding = option<std::string>(options, "rounding"),
                                            .overflow = option<std::string>(options, "overflow"),
                                            .subnormals = option<std::string>(options, "subnormals"),
                                            .scale = option<std::string>(options, "scale"),
                                            .axis = option<std::optional<int>>(options, "axis"),
                                            .seed = option<std::uint64_t>(options, "seed")});
  const bool carrier = option<bool>(options, "carrier");
  ArrayInput input = read_values(x, "x", option<std::optional<std::string>>(options, "x_format"), {});
  require_memory(coded_bytes(input.shape, coding, carrier), "x");
  const SourceTensor tensor{"tensor", input.shape, std::move(input.values), 0};  // as of a .npy file
  CodedTensor coded = compute(options, [&](const numerics::ParallelFor& parallel_for) {
    return code_tensor(tensor, coding, carrier, parallel_for);
  });
  py::dict parts;
  for (const EncodedTensor& part : coded.parts) {
    parts[py::str(part_name(part.name, tensor.name, carrier))] = to_array(part);
  }
  QuantizeResult result;
  result.provenance = build_provenance();
  result.provenance["seed"] = std::to_string(coding.seed);
  result.input = result.output = "array";
  result.coding = describe(coding);
  result.least_exponent = exponent_range(coding).least;
  result.largest_exponent = exponent_range(coding).largest;
  result.tensors.push_back(std::move(coded.report));
  return py::make_tuple(parts, parse_json(quantize_json(result)));
}

/// A part of one number.
float read_number(const py::object& array, const std::string& name) {
  const ArrayInput input = read_values(array, name, std::nullopt, {});
  if (input.values.data().size() == 1) return input.values.data().front();
  throw py::value_error(fmt::format("{}: got shape {}; expected one number", name, shape_text(input.shape)));
}

/// What `scale` is depends on the format: codes of block scales or numbers.
void read_scale(const py::object& scale, const TensorCoding& coding, StoredTensor& tensor) {
  if (scale.is_none()) return;
  if (!std::holds_alternative<BlockCoding>(coding.destination)) {
    tensor.scales = read_values(scale, "scale", std::nullopt, {.max_rank = 1}).values.data();
    return;
  }
  const IntegerInput codes = read_integers(scale, "scale");
  tensor.block_scales_shape = codes.shape;
  for (const std::int64_t code : codes.values) {
    if (code < 0 || code > 0xFF) {
      throw py::value_error(fmt::format("scale: got {}; expected codes of block scales, 0..255", code));
    }
    tensor.block_scales.push_back(static_cast<std::uint8_t>(code));
  }
}

py::array dequantize(const py::object& codes, const py::object& scale, const py::object& zero_point,
                     const py::object& tensor_scale, const py::dict& options) {
  const FpEnvironment environment;
  const TensorCoding coding = parse_coding(
      {.format = option<std::string>(options, "format"), .axis = option<std::optional<int>>(options, "axis")});
  StoredTensor tensor;
  IntegerInput input = read_integers(codes, "codes");
  tensor.shape = std::move(input.shape);
  tensor.codes = std::move(input.values);
  read_scale(scale, coding, tensor);
  if (!zero_point.is_none()) tensor.zero_points = read_integers(zero_point, "zero_point").values;
  if (!tensor_scale.is_none()) tensor.tensor_scale = read_number(tensor_scale, "tensor_scale");
  const numerics::Matrix<float> values = compute(
      options, [&](const numerics::ParallelFor& parallel_for) { return decode_tensor(tensor, coding, parallel_for); });
  return to_array(values, tensor.shape, numerics::kFp32, false);
}

}  // namespace

void bind_tensors(py::module_& module) {
  module.def("quantize", quantize);
  module.def("dequantize", dequantize);
}

}  // namespace guardbit::sim::python
