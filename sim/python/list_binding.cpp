// What this build is and knows, as `guardbit list` has it; and JSON.

#include "models/kernels/vector_target.h"
#include "models/numerics/version.h"
#include "sim/base/fp_environment.h"
#include "sim/python/bindings.h"
#include "sim/replay/build_info.h"
#include "sim/report/listing.h"

namespace guardbit::sim::python {
namespace {

namespace py = pybind11;

/// A topic of `guardbit list --json`: a list of dictionaries.
py::object listing(const std::string& topic) {
  const FpEnvironment environment;
  return parse_json(listing_json(topic))[py::str(topic)];
}

py::dict version() {
  py::dict result = py::cast(build_provenance());
  result["numerics"] = numerics::kNumericsVersion;
  result["vector_target"] = kernels::vector_target();
  return result;
}

}  // namespace

void bind_lists(py::module_& module) {
  module.def("listing", listing);
  module.def("version", version);
  module.def("parse_json", [](const std::string& text) {
    const FpEnvironment environment;
    return parse_json(text);
  });
}

}  // namespace guardbit::sim::python
