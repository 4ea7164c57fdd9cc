# Tests of numerics; included by tests/CMakeLists.txt.

guardbit_test(exhaustive/rounding_exhaustive_test.cpp LINK guardbit_numerics LABELS exhaustive)
guardbit_test(exhaustive/block_format_test.cpp LINK guardbit_numerics LABELS exhaustive)
guardbit_test(unit/shared_matrix_test.cpp LINK guardbit_numerics LABELS unit)
guardbit_test(unit/fixed_format_test.cpp LINK guardbit_numerics LABELS unit)
guardbit_test(unit/formats_test.cpp LINK guardbit_numerics LABELS unit)
guardbit_test(unit/random_bits_test.cpp LINK guardbit_numerics LABELS unit)
guardbit_test(unit/rounding_test.cpp LINK guardbit_numerics LABELS unit)

guardbit_test(system/list_test.cpp LINK guardbit_arith LABELS system TOOL)
