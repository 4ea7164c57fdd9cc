# Tests of schedule; included by tests/CMakeLists.txt.
