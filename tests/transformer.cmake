# Tests of transformer; included by tests/CMakeLists.txt.
