# Tests of calibration; included by tests/CMakeLists.txt.
guardbit_test(unit/calibration_identity_test.cpp LINK guardbit_calibration LABELS unit)
guardbit_test(unit/linear_algebra_test.cpp LINK guardbit_calibration LABELS unit)
guardbit_test(unit/slanc_residual_test.cpp LINK guardbit_calibration LABELS unit)
guardbit_test(unit/slanc_test.cpp LINK guardbit_calibration LABELS unit)
guardbit_test(unit/variant_test.cpp LINK guardbit_calibration LABELS unit)
guardbit_test(unit/weight_quantizer_test.cpp LINK guardbit_calibration LABELS unit)
guardbit_test(golden/calibration_golden_test.cpp LINK guardbit_calibration LABELS golden)
