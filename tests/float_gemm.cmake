# Tests of float_gemm; included by tests/CMakeLists.txt.
guardbit_test(differential/float_gemm_test.cpp LINK guardbit_kernels LABELS differential)
