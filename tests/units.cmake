# Tests of units; included by tests/CMakeLists.txt.
guardbit_test(unit/function_unit_test.cpp LINK guardbit_units LABELS unit)
guardbit_test(unit/norm_unit_test.cpp LINK guardbit_units LABELS unit)
guardbit_test(unit/rsqrt_unit_test.cpp LINK guardbit_units LABELS unit)
