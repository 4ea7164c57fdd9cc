#pragma once
/// New NumPy arrays for results. Called with the interpreter's lock held.
#include <pybind11/numpy.h>

#include <cstdint>
#include <vector>

#include "models/numerics/float_format.h"
#include "models/numerics/matrix.h"
#include "sim/trace/encoded_tensors.h"

namespace guardbit::sim::python {

/// The tensor with its own element type.
[[nodiscard]] pybind11::array to_array(const EncodedTensor& tensor);

/// The elements as float32 or, with `codes`, as codes of `format`, in uint8, uint16 or uint32 by its width.
[[nodiscard]] pybind11::array to_array(const numerics::Matrix<float>& values, const std::vector<std::uint64_t>& shape,
                                       const numerics::FloatFormat& format, bool codes);

}  // namespace guardbit::sim::python
