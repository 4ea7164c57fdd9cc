# Tests of replay and of the command line; included by tests/CMakeLists.txt.
foreach(test cli_test decode_test replay_fidelity_test replay_machine_test)
  guardbit_test(system/${test}.cpp LINK guardbit_trace nlohmann_json::nlohmann_json LABELS system)
  add_dependencies(${test} guardbit)
  target_compile_definitions(${test} PRIVATE GUARDBIT_BINARY="$<TARGET_FILE:guardbit>")
endforeach()
