#pragma once
/// Errors of the library as Python exceptions.
#include <pybind11/pybind11.h>

namespace guardbit::sim::python {

/// UserError becomes ValueError (usage, malformed input, configuration), FileNotFoundError (missing input), MemoryError
/// (refused for resources), OSError (output) or RuntimeError; options in its text lose their dashes ("--scale" becomes
/// "scale"). InternalError becomes RuntimeError. Also adds raise_error(exit code, message), which does the same for an
/// error of the command line.
void bind_errors(pybind11::module_& module);

}  // namespace guardbit::sim::python
