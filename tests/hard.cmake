# Tests of what happens when the system refuses something; included by tests/CMakeLists.txt.
# Preloaded libraries that stand before malloc do not go with the sanitizers.
if(GUARDBIT_SYSTEM_PYTHON AND NOT GUARDBIT_SANITIZE)
  add_library(guardbit_test_fail_calls SHARED support/fail_calls.cpp)
  target_link_libraries(guardbit_test_fail_calls PRIVATE ${CMAKE_DL_LIBS})
  set(command "${GUARDBIT_SYSTEM_PYTHON}" "${PROJECT_SOURCE_DIR}/tests/system/failing_calls_test.py"
      "$<TARGET_FILE:guardbit>" "$<TARGET_FILE:guardbit_test_fail_calls>" "${PROJECT_SOURCE_DIR}")
  add_test(NAME hard.FailingCalls COMMAND ${command})
  add_test(NAME hard.EveryFailingCall COMMAND ${command} --every)
  set_tests_properties(hard.FailingCalls PROPERTIES LABELS system TIMEOUT 600)
  set_tests_properties(hard.EveryFailingCall PROPERTIES LABELS full TIMEOUT 7200)
endif()
