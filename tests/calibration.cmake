# Tests of calibration; included by tests/CMakeLists.txt.
