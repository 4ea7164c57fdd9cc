// The compiled module guardbit._guardbit.
#include "sim/python/bindings.h"
#include "sim/python/errors.h"

/// libsystemc asks for this entry point when it is loaded; no machine is elaborated in this process.
extern "C" __attribute__((visibility("default"))) int sc_main(int /*argc*/, char** /*argv*/) { return 0; }

PYBIND11_MODULE(_guardbit, module) {
  namespace python = guardbit::sim::python;
  python::bind_errors(module);
  python::bind_gemm(module);
  python::bind_tensors(module);
  python::bind_units(module);
  python::bind_lists(module);
}
