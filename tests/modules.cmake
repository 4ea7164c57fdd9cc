# Tests of modules; included by tests/CMakeLists.txt.
