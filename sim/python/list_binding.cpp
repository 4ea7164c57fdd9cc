// What this build is and knows: the tables behind `guardbit list`; and JSON.

#include "models/arith/accumulators/accumulator_registry.h"
#include "models/arith/presets.h"
#include "models/calibration/method.h"
#include "models/kernels/vector_target.h"
#include "models/numerics/block_format.h"
#include "models/numerics/codec.h"
#include "models/numerics/version.h"
#include "sim/base/fp_environment.h"
#include "sim/python/bindings.h"
#include "sim/replay/build_info.h"

namespace guardbit::sim::python {
namespace {

namespace py = pybind11;
using namespace py::literals;

py::list formats() {
  py::list rows;
  for (const numerics::NamedFloatFormat& row : numerics::kFloatFormats) {
    const numerics::FloatFormat& format = row.format;
    rows.append(py::dict("name"_a = row.name, "kind"_a = "float", "bits"_a = format.storage_bits(),
                         "exponent_bits"_a = format.exponent_bits, "trailing_bits"_a = format.trailing_bits,
                         "bias"_a = format.bias, "max"_a = numerics::max_finite(format),
                         "min_normal"_a = numerics::min_normal(format),
                         "min_subnormal"_a = numerics::to_carrier(1, format), "has_infinity"_a = format.has_infinity(),
                         "has_nan"_a = format.has_nan(), "source"_a = row.standard));
  }
  for (const numerics::NamedBlockFormat& row : numerics::kBlockFormats) {
    rows.append(py::dict("name"_a = row.name, "kind"_a = "block", "bits"_a = row.format.element_bits(),
                         "block_size"_a = row.format.block_size, "source"_a = row.standard));
  }
  return rows;
}

py::list accumulators() {
  py::list rows;
  for (const arith::Accumulator& row : arith::accumulators()) {
    rows.append(py::dict("name"_a = row.name, "summary"_a = row.summary));
  }
  return rows;
}

py::list presets() {
  py::list rows;
  for (const arith::Preset& row : arith::presets()) {
    rows.append(py::dict("name"_a = row.name, "a"_a = numerics::name_of(row.a), "b"_a = numerics::name_of(row.b),
                         "summary"_a = row.summary, "source"_a = row.source));
  }
  return rows;
}

py::list methods() {
  py::list rows;
  for (const calibration::Method& row : calibration::methods()) {
    rows.append(py::dict("name"_a = row.name, "summary"_a = row.summary));
  }
  return rows;
}

py::dict version() {
  py::dict result = py::cast(build_provenance());
  result["numerics"] = numerics::kNumericsVersion;
  result["vector_target"] = kernels::vector_target();
  return result;
}

}  // namespace

void bind_lists(py::module_& module) {
  module.def("formats", formats);
  module.def("accumulators", accumulators);
  module.def("presets", presets);
  module.def("methods", methods);
  module.def("version", version);
  module.def("parse_json", [](const std::string& text) {
    const FpEnvironment environment;
    return parse_json(text);
  });
}

}  // namespace guardbit::sim::python
