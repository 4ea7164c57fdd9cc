# Tests of single products, tensor quantization and vector files; included by tests/CMakeLists.txt.
foreach(test conform_test)
  guardbit_test(system/${test}.cpp LINK nlohmann_json::nlohmann_json LABELS system)
  add_dependencies(${test} guardbit)
  target_compile_definitions(${test} PRIVATE GUARDBIT_BINARY="$<TARGET_FILE:guardbit>")
endforeach()
