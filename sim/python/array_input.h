#pragma once
/// NumPy arrays of the caller, checked and copied: nothing of an input is ever written. Called with the interpreter's
/// lock held, in FpEnvironment.
#include <pybind11/numpy.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/numerics/matrix.h"

namespace guardbit::sim::python {

/// What an argument may be.
struct ArrayRules {
  std::size_t min_rank = 0;
  std::size_t max_rank = 8;
  bool finite = false;  ///< NaN and infinity are errors
};

struct ArrayInput {
  std::vector<std::uint64_t> shape;
  numerics::Matrix<float> values;  ///< the last dimension as columns; a scalar is (1, 1)
};

/// The array as binary32, exactly, as .npy files are read (sim/trace/npy_element.h). With `format` its elements are
/// codes of that float format, in uint8, uint16 or uint32 by the format's width; unsigned arrays without one are
/// refused, as they could be either. Any byte order and strides. TypeError: no ndarray, a masked one, or an element
/// type that is not read. ValueError: rank, an empty dimension, a value that is no binary32, a code that the format
/// does not have, an unknown format.
[[nodiscard]] ArrayInput read_values(const pybind11::object& array, const std::string& name,
                                     const std::optional<std::string>& format, const ArrayRules& rules);

struct IntegerInput {
  std::vector<std::uint64_t> shape;
  std::vector<std::int64_t> values;
};

/// An array of integers. Errors as above.
[[nodiscard]] IntegerInput read_integers(const pybind11::object& array, const std::string& name);

/// "(2, 3)", "(4,)", "()".
[[nodiscard]] std::string shape_text(const std::vector<std::uint64_t>& shape);

}  // namespace guardbit::sim::python
