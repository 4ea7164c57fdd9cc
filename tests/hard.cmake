# Tests of what happens in hostile surroundings and when the system refuses something; included by tests/CMakeLists.txt.
guardbit_test(system/host_program_test.cpp LINK guardbit_kernels guardbit_units LABELS system)

# Builds of its own, beside this one's directory.
if(GUARDBIT_SYSTEM_PYTHON AND NOT GUARDBIT_SANITIZE)
  add_test(NAME hard.DeterminismMatrix COMMAND "${GUARDBIT_SYSTEM_PYTHON}" "${PROJECT_SOURCE_DIR}/tests/determinism/matrix.py")
  set_tests_properties(hard.DeterminismMatrix PROPERTIES LABELS full TIMEOUT 14400 SKIP_RETURN_CODE 77 RUN_SERIAL TRUE)
endif()

# Preloaded libraries that stand before malloc do not go with the sanitizers, nor do stacks of 64 KiB.
if(GUARDBIT_SYSTEM_PYTHON AND NOT GUARDBIT_SANITIZE)
  add_library(guardbit_test_fail_calls SHARED support/fail_calls.cpp)
  target_link_libraries(guardbit_test_fail_calls PRIVATE ${CMAKE_DL_LIBS})
  add_library(guardbit_test_locale SHARED support/preset_locale.cpp)
  set(command "${GUARDBIT_SYSTEM_PYTHON}" "${PROJECT_SOURCE_DIR}/tests/system/failing_calls_test.py"
      "$<TARGET_FILE:guardbit>" "$<TARGET_FILE:guardbit_test_fail_calls>" "${PROJECT_SOURCE_DIR}")
  add_test(NAME hard.FailingCalls COMMAND ${command})
  add_test(NAME hard.EveryFailingCall COMMAND ${command} --every)
  set(command "${GUARDBIT_SYSTEM_PYTHON}" "${PROJECT_SOURCE_DIR}/tests/system/hardening_test.py"
      "$<TARGET_FILE:guardbit>" "$<TARGET_FILE:guardbit_test_mxcsr>" "$<TARGET_FILE:guardbit_test_locale>" "${PROJECT_SOURCE_DIR}")
  add_test(NAME hard.HostileSurroundings COMMAND ${command})
  add_test(NAME hard.HostileSurroundingsThoroughly COMMAND ${command} --thorough)
  set_tests_properties(hard.FailingCalls hard.HostileSurroundings PROPERTIES LABELS system TIMEOUT 600)
  set_tests_properties(hard.EveryFailingCall hard.HostileSurroundingsThoroughly PROPERTIES LABELS full TIMEOUT 7200)
endif()
