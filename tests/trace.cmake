# Tests of trace; included by tests/CMakeLists.txt.
