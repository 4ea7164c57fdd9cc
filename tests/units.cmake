# Tests of units; included by tests/CMakeLists.txt.
