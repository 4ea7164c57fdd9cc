#include "sim/python/array_input.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>

#include "models/numerics/codec.h"
#include "sim/base/error.h"
#include "sim/base/memory.h"
#include "sim/trace/npy_element.h"

namespace guardbit::sim::python {
namespace {

namespace py = pybind11;

/// An array in C order whose element type is read.
struct Elements {
  py::array array;
  NpyType type = NpyType::kF4;
  char kind = 'f';  ///< 'f', 'i' or 'u'
  bool swapped = false;
  std::vector<std::uint64_t> shape;
  std::size_t count = 1;

  /// take(index, element's bytes in the host's order) for all elements.
  template <class Take>
  void visit(const Take& take) const {
    const std::size_t num_bytes = bytes_of(type);
    const auto* data = static_cast<const unsigned char*>(array.data());
    std::array<unsigned char, 8> reversed{};
    for (std::size_t i = 0; i < count; ++i, data += num_bytes) {
      if (swapped) std::reverse_copy(data, data + num_bytes, reversed.begin());
      take(i, swapped ? reversed.data() : data);
    }
  }
};

std::string text_of(const py::handle& object) { return py::cast<std::string>(py::str(object)); }

/// The row of the array's element type, or a TypeError.
const NpyTypeRow& type_of(const py::array& array, const std::string& name) {
  const std::string type = array.dtype().kind() + std::to_string(array.itemsize());
  if (const NpyTypeRow* row = find_npy_type(type)) return *row;
  throw py::type_error(fmt::format("{}: got dtype {}; expected float16, float32, float64 or an integer type", name,
                                   text_of(array.dtype())));
}

Elements open(const py::object& object, const std::string& name, const ArrayRules& rules) {
  if (!py::isinstance<py::array>(object) || py::hasattr(object, "mask")) {
    throw py::type_error(fmt::format("{}: got {}; expected a numpy.ndarray (numpy.asarray makes one)", name,
                                     text_of(py::type::of(object).attr("__name__"))));
  }
  const auto given = py::reinterpret_borrow<py::array>(object);
  const NpyTypeRow& row = type_of(given, name);
  Elements elements;
  elements.type = row.type;
  elements.kind = row.name[0];
  elements.swapped = text_of(given.dtype().attr("byteorder")) == ">";
  for (py::ssize_t i = 0; i < given.ndim(); ++i) elements.shape.push_back(static_cast<std::uint64_t>(given.shape(i)));
  if (elements.shape.size() < rules.min_rank || elements.shape.size() > rules.max_rank) {
    const std::string expected = rules.min_rank == rules.max_rank
                                     ? std::to_string(rules.min_rank)
                                     : fmt::format("{} to {}", rules.min_rank, rules.max_rank);
    throw py::value_error(
        fmt::format("{}: got shape {}; expected {} dimensions", name, shape_text(elements.shape), expected));
  }
  for (const std::uint64_t size : elements.shape) {
    if (size == 0) {
      throw py::value_error(
          fmt::format("{}: got shape {}; expected every dimension at least 1", name, shape_text(elements.shape)));
    }
    elements.count *= size;
  }
  constexpr double kBytesPerElement = 16;  // in C order and as binary32 or integers
  require_memory(kBytesPerElement * static_cast<double>(elements.count), name);
  elements.array = py::array::ensure(given, py::array::c_style);
  if (!elements.array) throw py::error_already_set();
  return elements;
}

numerics::FloatFormat format_of(const std::string& text, const std::string& name) {
  if (const auto format = numerics::parse_float_format(text)) return *format;
  throw py::value_error(
      fmt::format("{}_format: got '{}'; expected a float format (guardbit.formats())", name, printable(text)));
}

std::vector<float> decode(const Elements& elements, const std::string& name, const std::string& format_name,
                          const ArrayRules& rules) {
  const numerics::FloatFormat format = format_of(format_name, name);
  const int bits = format.storage_bits();
  const std::size_t code_bytes = bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
  if (elements.kind != 'u' || bytes_of(elements.type) != code_bytes) {
    throw py::type_error(fmt::format("{}: got dtype {}; expected uint{}, codes of {}", name,
                                     text_of(elements.array.dtype()), 8 * code_bytes, format_name));
  }
  std::vector<float> values(elements.count);
  elements.visit([&](std::size_t index, const unsigned char* bytes) {
    const auto code = static_cast<std::uint64_t>(npy_element(bytes, elements.type));
    if (code >> bits != 0) {
      throw py::value_error(fmt::format("{}: got {} at element {}; expected codes of {}, 0..{}", name, code, index,
                                        format_name, (std::uint64_t{1} << bits) - 1));
    }
    const float value = numerics::to_carrier(static_cast<std::uint32_t>(code), format);
    values[index] = exact_float(value, rules.finite, index, name);
  });
  return values;
}

}  // namespace

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  return fmt::format("({}{})", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
}

ArrayInput read_values(const py::object& array, const std::string& name, const std::optional<std::string>& format,
                       const ArrayRules& rules) {
  const Elements elements = open(array, name, rules);
  std::vector<float> values;
  if (format) {
    values = decode(elements, name, *format, rules);
  } else if (elements.kind == 'u') {
    throw py::type_error(
        fmt::format("{}: got dtype {}; expected floats or signed integers, or {}_format to say of which "
                    "format these are codes",
                    name, text_of(elements.array.dtype()), name));
  } else {
    values.resize(elements.count);
    elements.visit([&](std::size_t index, const unsigned char* bytes) {
      values[index] = exact_float(npy_element(bytes, elements.type), rules.finite, index, name);
    });
  }
  const std::size_t num_cols = elements.shape.empty() ? 1 : static_cast<std::size_t>(elements.shape.back());
  return {elements.shape, numerics::Matrix<float>(elements.count / num_cols, num_cols, std::move(values))};
}

IntegerInput read_integers(const py::object& array, const std::string& name) {
  const Elements elements = open(array, name, {});
  if (elements.kind == 'f') {
    throw py::type_error(
        fmt::format("{}: got dtype {}; expected an integer type", name, text_of(elements.array.dtype())));
  }
  IntegerInput result{elements.shape, std::vector<std::int64_t>(elements.count)};
  elements.visit([&](std::size_t index, const unsigned char* bytes) {
    const double value = npy_element(bytes, elements.type);
    // No code is wider than 32 bits; what the double does not hold exactly is far beyond all of them.
    constexpr double kLargest = 0x1p53;
    result.values[index] = static_cast<std::int64_t>(std::clamp(value, -kLargest, kLargest));
  });
  return result;
}

}  // namespace guardbit::sim::python
