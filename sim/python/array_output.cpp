#include "sim/python/array_output.h"

#include <algorithm>
#include <map>
#include <string>

#include "models/numerics/codec.h"
#include "sim/probe/coding_parts.h"

namespace guardbit::sim::python {

namespace py = pybind11;

py::array to_array(const EncodedTensor& tensor) {
  static const std::map<std::string, const char*> kTypes = {
      {"F32", "<f4"}, {"I8", "|i1"}, {"I16", "<i2"}, {"I32", "<i4"}, {"U8", "|u1"}, {"U16", "<u2"}, {"U32", "<u4"}};
  const std::vector<py::ssize_t> shape(tensor.shape.begin(), tensor.shape.end());
  return {py::dtype(kTypes.at(tensor.dtype)), shape, tensor.bytes.data()};
}

py::array to_array(const numerics::Matrix<float>& values, const std::vector<std::uint64_t>& shape,
                   const numerics::FloatFormat& format, bool codes) {
  if (!codes) return to_array(float_tensor("", shape, values.data()));
  CodeArray array(values.data().size(), format.storage_bits(), false);
  for (std::size_t i = 0; i < values.data().size(); ++i) {
    array.set(i, numerics::from_carrier(values.data()[i], format));
  }
  return to_array(array.take("", shape));
}

}  // namespace guardbit::sim::python
