# Tests of numerics; included by tests/CMakeLists.txt.
