# Tests of arith; included by tests/CMakeLists.txt.

find_package(ZLIB REQUIRED)
add_library(guardbit_golden_vectors STATIC support/golden_vectors.cpp)
target_link_libraries(guardbit_golden_vectors PUBLIC guardbit_flags guardbit_arith PRIVATE ZLIB::ZLIB GTest::gtest)
target_compile_definitions(guardbit_golden_vectors PRIVATE GUARDBIT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")

guardbit_test(golden/operation_vectors_test.cpp LINK guardbit_golden_vectors guardbit_arith LABELS golden)
guardbit_test(golden/gemm_vectors_test.cpp LINK guardbit_golden_vectors guardbit_arith LABELS golden)
guardbit_test(exhaustive/float_ops_exhaustive_test.cpp LINK guardbit_arith LABELS exhaustive)
guardbit_test(exhaustive/multiply_add_full_test.cpp LINK guardbit_arith LABELS full)
guardbit_test(unit/float_ops_test.cpp LINK guardbit_arith LABELS unit)
guardbit_test(exhaustive/fp16_compiler_test.cpp LINK guardbit_arith LABELS exhaustive)
guardbit_test(differential/multiply_add_test.cpp LINK guardbit_arith LABELS differential)
guardbit_test(differential/mpfr_test.cpp LINK guardbit_arith mpfr gmp LABELS differential)
guardbit_test(differential/accumulator_rational_test.cpp LINK guardbit_arith LABELS differential)
guardbit_test(unit/accumulator_test.cpp LINK guardbit_arith LABELS unit)
guardbit_test(unit/presets_test.cpp LINK guardbit_arith LABELS unit)
guardbit_test(conformance/accumulator_conformance_test.cpp LINK guardbit_arith LABELS unit)
