#include "sim/python/errors.h"

#include <algorithm>
#include <exception>
#include <string>
#include <string_view>

#include "models/numerics/check.h"
#include "sim/base/error.h"

namespace guardbit::sim::python {
namespace {

PyObject* exception_of(ExitCode code) {
  switch (code) {
    case ExitCode::kUsage:
    case ExitCode::kMalformedInput:
    case ExitCode::kConfiguration: return PyExc_ValueError;
    case ExitCode::kMissingInput: return PyExc_FileNotFoundError;
    case ExitCode::kRefused: return PyExc_MemoryError;
    case ExitCode::kCannotCreate:
    case ExitCode::kIo: return PyExc_OSError;
    case ExitCode::kOk:
    case ExitCode::kGateFailed:
    case ExitCode::kInternal:
    case ExitCode::kPartial: break;
  }
  return PyExc_RuntimeError;
}

/// A line with "--transpose-b" as Python writes it, "transpose_b".
std::string with_python_names(std::string_view line) {
  std::string text;
  bool in_name = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool at_word = i == 0 || line[i - 1] == ' ';
    if (at_word && line.substr(i).starts_with("--") && i + 2 < line.size() && line[i + 2] >= 'a' &&
        line[i + 2] <= 'z') {
      in_name = true;
      ++i;  // both dashes
      continue;
    }
    if (line[i] != '-' && (line[i] < 'a' || line[i] > 'z')) in_name = false;
    text += in_name && line[i] == '-' ? '_' : line[i];
  }
  return text;
}

/// Lines are one problem each.
std::string message_of(std::string_view what) {
  std::string text;
  for (std::size_t begin = 0; begin <= what.size();) {
    const std::size_t end = std::min(what.find('\n', begin), what.size());
    text += (begin == 0 ? "" : "\n") + with_python_names(printable(what.substr(begin, end - begin)));
    begin = end + 1;
  }
  return text;
}

void translate(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const UserError& error) {
    PyErr_SetString(exception_of(error.code()), message_of(error.what()).c_str());
  } catch (const InternalError& error) {
    PyErr_SetString(PyExc_RuntimeError,
                    message_of(std::string("internal error, please report it: ") + error.what()).c_str());
  }
}

}  // namespace

void bind_errors(pybind11::module_& module) {
  pybind11::register_exception_translator(translate);
  module.def("raise_error", [](int exit_code, const std::string& message) {
    throw UserError(static_cast<ExitCode>(exit_code), message);
  });
}

}  // namespace guardbit::sim::python
