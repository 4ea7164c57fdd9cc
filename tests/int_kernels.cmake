# Tests of int_kernels; included by tests/CMakeLists.txt.
guardbit_test(differential/scalar_rounder_test.cpp LINK guardbit_kernels LABELS differential)
guardbit_test(differential/affine_quantize_test.cpp LINK guardbit_kernels LABELS differential)
guardbit_test(differential/int_quantize_test.cpp LINK guardbit_kernels guardbit_highway LABELS differential)
guardbit_test(differential/hadamard_test.cpp LINK guardbit_kernels guardbit_highway LABELS differential)
guardbit_test(differential/int_gemm_test.cpp LINK guardbit_kernels guardbit_highway LABELS differential)
if(TARGET guardbit_bench)
  target_sources(guardbit_bench PRIVATE bench/int_bench.cpp)
endif()
