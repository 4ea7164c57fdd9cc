# Tests of numerics; included by tests/CMakeLists.txt.

guardbit_test(exhaustive/rounding_exhaustive_test.cpp LINK guardbit_numerics LABELS exhaustive)
