# Tests of transformer; included by tests/CMakeLists.txt.
guardbit_test(unit/family_test.cpp LINK guardbit_transformer LABELS unit)
guardbit_test(unit/reference_test.cpp LINK guardbit_transformer LABELS unit)
guardbit_test(unit/rotation_test.cpp LINK guardbit_transformer LABELS unit)
guardbit_test(golden/transformer_golden_test.cpp LINK guardbit_transformer LABELS golden)
