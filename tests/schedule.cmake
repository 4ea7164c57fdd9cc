# Tests of schedule; included by tests/CMakeLists.txt.
guardbit_test(unit/schedule_test.cpp LINK guardbit_schedule guardbit_calibration LABELS unit)
guardbit_test(unit/operation_counts_test.cpp LINK guardbit_schedule LABELS unit)
