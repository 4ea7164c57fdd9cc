// gemm: what `guardbit gemm` does, on arrays.
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "models/kernels/vector_target.h"
#include "sim/base/fp_environment.h"
#include "sim/probe/gemm_probe.h"
#include "sim/probe/product_words.h"
#include "sim/python/array_input.h"
#include "sim/python/array_output.h"
#include "sim/python/bindings.h"
#include "sim/replay/build_info.h"
#include "sim/report/probe_report.h"

namespace guardbit::sim::python {
namespace {

namespace py = pybind11;

OperandSource in_memory(ArrayInput input) {
  OperandSource source;
  source.kind = OperandSource::Kind::kMemory;
  source.memory = std::make_shared<const numerics::Matrix<float>>(std::move(input.values));
  return source;
}

/// Shapes and operands of the product, which must fit each other.
void read_operands(const py::object& a, const py::object& b, const py::dict& options, GemmOptions& gemm) {
  constexpr ArrayRules kMatrix{.min_rank = 2, .max_rank = 2, .finite = true};
  using Format = std::optional<std::string>;
  ArrayInput left = read_values(a, "a", option<Format>(options, "a_format"), kMatrix);
  ArrayInput right = read_values(b, "b", option<Format>(options, "b_format"), kMatrix);
  gemm.transpose_b = option<bool>(options, "transpose_b");
  gemm.m = left.shape[0];
  gemm.k = left.shape[1];
  gemm.n = right.shape[gemm.transpose_b ? 0 : 1];
  if (right.shape[gemm.transpose_b ? 1 : 0] != gemm.k) {
    const std::string expected = gemm.transpose_b ? fmt::format("(N, {})", gemm.k) : fmt::format("({}, N)", gemm.k);
    throw py::value_error(fmt::format("b: got shape {}; expected {} for a of shape {}", shape_text(right.shape),
                                      expected, shape_text(left.shape)));
  }
  gemm.a = in_memory(std::move(left));
  gemm.b = in_memory(std::move(right));
}

/// (C, report)
py::tuple gemm(const py::object& a, const py::object& b, const py::dict& options) {
  const FpEnvironment environment;
  const LoadedAccelerator accelerator = load_product_hardware(option<std::string>(options, "accelerator"),
                                                              option<std::vector<std::string>>(options, "set"));
  GemmOptions gemm;
  read_operands(a, b, options, gemm);
  gemm.preset = option<std::string>(options, "preset");
  gemm.wanted = parse_event_set(option<std::string>(options, "events"));
  gemm.seed = option<std::uint64_t>(options, "seed");
  gemm.error = option<bool>(options, "error");
  gemm.reference = option<bool>(options, "reference");
  numerics::FloatFormat format;
  numerics::Matrix<float> c;
  gemm.on_output = [&](const numerics::FloatFormat& result_format, const numerics::Matrix<float>& values) {
    format = result_format;
    c = values;
  };
  GemmResult result = compute(options, [&](const numerics::ParallelFor& parallel_for) {
    gemm.parallel_for = parallel_for;
    return gemm_probe(accelerator, gemm);
  });
  result.a = result.b = "array";
  result.provenance = build_provenance();
  result.provenance["vector_target"] = kernels::vector_target();
  result.provenance["accelerator_sha256"] = accelerator.sha256;
  result.provenance["seed"] = std::to_string(gemm.seed);
  return py::make_tuple(to_array(c, {gemm.m, gemm.n}, format, option<bool>(options, "codes")),
                        parse_json(gemm_json(result)));
}

}  // namespace

void bind_gemm(py::module_& module) { module.def("gemm", gemm); }

}  // namespace guardbit::sim::python
