# Tests of float_gemm; included by tests/CMakeLists.txt.
guardbit_test(differential/float_gemm_test.cpp LINK guardbit_kernels LABELS differential)
guardbit_test(differential/float_gemm_narrow_test.cpp LINK guardbit_kernels LABELS differential)
guardbit_test(differential/float_gemm_modes_test.cpp LINK guardbit_kernels LABELS differential)
guardbit_test(differential/float_gemm_aligned_test.cpp LINK guardbit_kernels LABELS differential)
guardbit_test(differential/float_gemm_tree_test.cpp LINK guardbit_kernels LABELS differential)
guardbit_test(differential/float_gemm_fixed_test.cpp LINK guardbit_kernels LABELS differential)
guardbit_test(golden/float_gemm_golden_test.cpp LINK guardbit_kernels guardbit_golden_vectors LABELS golden)

# Speeds beside OpenBLAS sgemm; built where OpenBLAS is installed, without sanitizers. Other areas add files with target_sources.
find_library(OPENBLAS_LIBRARY openblas)
find_path(OPENBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas openblas-pthread)
if(OPENBLAS_LIBRARY AND OPENBLAS_INCLUDE_DIR AND NOT GUARDBIT_SANITIZE)
  add_executable(guardbit_bench bench/bench_context.cpp bench/float_gemm_bench.cpp)
  target_include_directories(guardbit_bench SYSTEM PRIVATE "${OPENBLAS_INCLUDE_DIR}")
  target_link_libraries(guardbit_bench PRIVATE guardbit_kernels guardbit_flags benchmark::benchmark_main
                                               "${OPENBLAS_LIBRARY}")
  target_compile_options(guardbit_bench PRIVATE -O3)
  set_target_properties(guardbit_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
endif()
