# Tests of float_gemm; included by tests/CMakeLists.txt.
