# Tests of int_kernels; included by tests/CMakeLists.txt.
