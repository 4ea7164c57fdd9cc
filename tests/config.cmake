# Tests of config; included by tests/CMakeLists.txt.
