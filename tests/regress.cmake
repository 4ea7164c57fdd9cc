# Tests of regressions, gates and comparisons; included by tests/CMakeLists.txt.
guardbit_test(unit/regress_test.cpp LINK guardbit_regress SYSTEMC LABELS unit)
guardbit_test(unit/gate_test.cpp LINK guardbit_regress SYSTEMC LABELS unit)
guardbit_test(system/regress_verb_test.cpp LINK guardbit_base guardbit_numerics nlohmann_json::nlohmann_json LABELS system)
add_dependencies(regress_verb_test guardbit)
target_compile_definitions(regress_verb_test PRIVATE GUARDBIT_BINARY="$<TARGET_FILE:guardbit>")
