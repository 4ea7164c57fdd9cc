#pragma once
/// The functions of the compiled module `guardbit._guardbit`, which the package's Python calls with checked arguments
/// (guardbit/_arguments.py). Each calls what the command line's verb calls; none computes anything.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/base/thread_pool.h"

namespace guardbit::sim::python {

void bind_gemm(pybind11::module_& module);
void bind_tensors(pybind11::module_& module);
void bind_units(pybind11::module_& module);
void bind_lists(pybind11::module_& module);

/// The value of a JSON text. Called in FpEnvironment, for Python's reading of numbers depends on the rounding mode.
inline pybind11::object parse_json(const std::string& text) {
  return pybind11::module_::import("json").attr("loads")(text);
}

/// An option of a call.
template <class T>
T option(const pybind11::dict& options, const char* name) {
  return pybind11::cast<T>(options[name]);
}

/// What work(parallel_for) returns, computed on options["threads"] threads while other Python threads run.
template <class Work>
auto compute(const pybind11::dict& options, const Work& work) {
  const auto num_threads = option<std::size_t>(options, "threads");
  const pybind11::gil_scoped_release released;
  ThreadPool pool(num_threads);
  return work(pool.parallel_for());
}

}  // namespace guardbit::sim::python
