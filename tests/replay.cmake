# Tests of replay and of the command line; included by tests/CMakeLists.txt.
foreach(test capture_bad_input_test capture_verb_test cli_test decode_test progress_test replay_fidelity_test replay_machine_test value_report_test bathtub_test quantizer_replay_test calibration_text_test replay_memory_test)
  guardbit_test(system/${test}.cpp LINK guardbit_trace nlohmann_json::nlohmann_json LABELS system TOOL)
endforeach()
guardbit_test(unit/variant_hardware_test.cpp LINK guardbit_replay SYSTEMC LABELS unit)

# The PyTorch exporter (traces/capture). Exit code 77: not run, the reason is printed.
find_program(GUARDBIT_SYSTEM_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(GUARDBIT_SYSTEM_PYTHON)
  foreach(part numpy torch)
    add_test(NAME exporter.${part} COMMAND "${GUARDBIT_SYSTEM_PYTHON}" "${PROJECT_SOURCE_DIR}/tests/system/exporter_test.py"
             ${part} "$<TARGET_FILE:guardbit>")
    set_tests_properties(exporter.${part} PROPERTIES LABELS system SKIP_RETURN_CODE 77 TIMEOUT 300)
  endforeach()
  add_test(NAME unicode_tables COMMAND "${GUARDBIT_SYSTEM_PYTHON}" "${PROJECT_SOURCE_DIR}/tests/support/check_unicode_tables.py"
           "${PROJECT_SOURCE_DIR}")
  set_tests_properties(unicode_tables PROPERTIES LABELS unit SKIP_RETURN_CODE 77 TIMEOUT 300)
endif()
guardbit_test(unit/value_observer_test.cpp LINK guardbit_replay SYSTEMC LABELS unit)
