// norm and hadamard: the norm unit and the rotate unit alone, as replay and bathtub run them.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "models/units/norm_unit.h"
#include "models/units/rotate_unit.h"
#include "sim/base/error.h"
#include "sim/base/fp_environment.h"
#include "sim/config/accelerator.h"
#include "sim/python/array_input.h"
#include "sim/python/array_output.h"
#include "sim/python/bindings.h"
#include "sim/report/probe_report.h"

namespace guardbit::sim::python {
namespace {

namespace py = pybind11;
using numerics::Matrix;

LoadedAccelerator load_hardware(const py::dict& options) {
  const auto file = option<std::string>(options, "accelerator");
  const auto overrides = option<std::vector<std::string>>(options, "set");
  return file.empty() ? default_accelerator(overrides) : load_accelerator(file, overrides);
}

ArrayInput read_rows(const py::object& x, const py::dict& options) {
  return read_values(x, "x", option<std::optional<std::string>>(options, "x_format"), {.min_rank = 1});
}

/// gamma or beta: (d), or none.
std::vector<float> read_parameter(const py::object& array, const std::string& name, std::size_t size) {
  if (array.is_none()) return {};
  ArrayInput input = read_values(array, name, std::nullopt, {.min_rank = 1, .max_rank = 1, .finite = true});
  if (input.shape[0] == size) return std::move(input.values.data());
  throw py::value_error(
      fmt::format("{}: got shape {}; expected ({},), the rows' length", name, shape_text(input.shape), size));
}

void check_real(const char* name, double value, bool zero) {
  if (std::isfinite(value) && (zero ? value >= 0 : value > 0)) return;
  throw py::value_error(
      fmt::format("{}: got {}; expected a finite number {} 0", name, value, zero ? "of at least" : "above"));
}

units::NormParameters norm_parameters(const py::dict& options) {
  units::NormParameters parameters;
  parameters.layer_norm = option<bool>(options, "layer_norm");
  parameters.epsilon = option<double>(options, "epsilon");
  parameters.input_scale = option<double>(options, "input_scale");
  parameters.dynamic_scale = option<bool>(options, "dynamic_scale");
  check_real("epsilon", parameters.epsilon, true);
  check_real("input_scale", parameters.input_scale, false);
  const double largest = std::numeric_limits<float>::max();
  if (parameters.epsilon > largest) {
    throw py::value_error(fmt::format("epsilon: got {}; expected a number that binary32 has", parameters.epsilon));
  }
  // The scale's reciprocal is a register of the unit, in binary32.
  if (parameters.input_scale > largest || 1 / parameters.input_scale > largest) {
    throw py::value_error(
        fmt::format("input_scale: got {}; expected a number whose reciprocal binary32 has", parameters.input_scale));
  }
  if (parameters.dynamic_scale && parameters.input_scale != 1) {
    throw py::value_error(fmt::format("input_scale: got {} with dynamic_scale; expected 1, as every row finds its own",
                                      parameters.input_scale));
  }
  return parameters;
}

/// One float32 array per statistic, an element per row.
py::dict rows_of(const std::vector<units::NormTrace>& traces) {
  py::dict rows;
  const auto add = [&](const char* name, float units::NormTrace::*member) {
    Matrix<float> values(1, traces.size());
    for (std::size_t row = 0; row < traces.size(); ++row) values(0, row) = traces[row].*member;
    rows[name] = to_array(values, {traces.size()}, numerics::kFp32, false);
  };
  add("reciprocal_scale", &units::NormTrace::reciprocal_scale);
  add("sum_of_squares", &units::NormTrace::sum_of_squares);
  add("mean", &units::NormTrace::mean);
  add("variance", &units::NormTrace::variance);
  add("inv_std", &units::NormTrace::inv_std);
  return rows;
}

/// (y, storage format, events, statistics of rows)
py::tuple norm(const py::object& x, const py::object& gamma, const py::object& beta, const py::dict& options) {
  const FpEnvironment environment;
  const units::AcceleratorConfig config = load_hardware(options).config;
  units::NormParameters parameters = norm_parameters(options);
  const ArrayInput input = read_rows(x, options);
  const std::vector<float> weight = read_parameter(gamma, "gamma", input.values.cols());
  const std::vector<float> bias = read_parameter(beta, "beta", input.values.cols());
  parameters.gamma = weight;
  parameters.beta = bias;
  const numerics::FloatSpec storage = units::conversion_spec(config.storage.activation);
  Matrix<float> y(input.values.rows(), input.values.cols());
  numerics::EventLedger ledger;
  std::vector<units::NormTrace> traces;
  compute(options, [&](const numerics::ParallelFor& parallel_for) {
    units::NormUnit(config.norm, storage).run(input.values.view(), parameters, y.view(), ledger, &traces, parallel_for);
  });
  return py::make_tuple(to_array(y, input.shape, storage.format, option<bool>(options, "codes")),
                        numerics::name_of(storage.format), parse_json(ledger_json(ledger)), rows_of(traces));
}

/// The transform's size: as given or the whole row.
int checked_size(const std::optional<int>& given, int stride, std::size_t row) {
  constexpr std::size_t kLargestRow = 1 << 20;
  if (row > kLargestRow) throw py::value_error(fmt::format("x: got rows of {}; expected at most {}", row, kLargestRow));
  const int size = given.value_or(static_cast<int>(row) / stride);
  if (size < 1 || row % (static_cast<std::size_t>(size) * static_cast<std::size_t>(stride)) != 0) {
    throw py::value_error(fmt::format(
        "size: got {} with stride {}; expected size * stride to divide the rows' length {}", size, stride, row));
  }
  if (!units::hadamard_supported(size)) {
    throw py::value_error(
        fmt::format("size: got {}; expected 2^n or m * 2^n with a known Hadamard matrix of order m "
                    "(12, 20, 28, 36, ..., 172)",
                    size));
  }
  return size;
}

/// (y, events)
py::tuple hadamard(const py::object& x, const py::dict& options) {
  const FpEnvironment environment;
  units::RotateConfig config;
  config.format = option<std::string>(options, "format");
  const auto format = numerics::parse_float_format(config.format);
  if (!format) {
    throw py::value_error(
        fmt::format("format: got '{}'; expected a float format (guardbit.formats())", printable(config.format)));
  }
  const ArrayInput input = read_rows(x, options);
  const int stride = option<int>(options, "stride");
  const int size = checked_size(option<std::optional<int>>(options, "size"), stride, input.values.cols());
  Matrix<float> y(input.values.rows(), input.values.cols());
  numerics::EventLedger ledger;
  compute(options, [&](const numerics::ParallelFor& parallel_for) {
    units::rotate(input.values.view(), size, stride, config, y.view(), ledger, parallel_for);
  });
  return py::make_tuple(to_array(y, input.shape, *format, option<bool>(options, "codes")),
                        parse_json(ledger_json(ledger)));
}

}  // namespace

void bind_units(py::module_& module) {
  module.def("norm", norm);
  module.def("hadamard", hadamard);
}

}  // namespace guardbit::sim::python
