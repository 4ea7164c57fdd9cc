# Tests of arith; included by tests/CMakeLists.txt.
