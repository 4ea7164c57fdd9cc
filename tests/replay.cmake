# Tests of replay; included by tests/CMakeLists.txt.
