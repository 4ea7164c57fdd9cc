# Tests of sim/sweep; included by tests/CMakeLists.txt.
guardbit_test(unit/sweep_plan_test.cpp LINK guardbit_sweep SYSTEMC LABELS unit)
guardbit_test(unit/sweep_store_test.cpp LINK guardbit_sweep SYSTEMC LABELS unit)
guardbit_test(unit/search_decision_test.cpp LINK guardbit_sweep SYSTEMC LABELS unit)
foreach(test sweep_test sweep_crash_test sweep_search_test sweep_search_full_test)
  if(test MATCHES "_full_test$")
    set(label full)
  else()
    set(label system)
  endif()
  guardbit_test(system/${test}.cpp LINK guardbit_trace nlohmann_json::nlohmann_json LABELS ${label} TOOL)
endforeach()
# Exit code 77: not run, the reason is printed.
if(GUARDBIT_SYSTEM_PYTHON)
  add_test(NAME slurm.ClusterWithAKilledNode COMMAND "${GUARDBIT_SYSTEM_PYTHON}" "${PROJECT_SOURCE_DIR}/tests/system/slurm_test.py"
           "$<TARGET_FILE:guardbit>" "${PROJECT_SOURCE_DIR}")
  set_tests_properties(slurm.ClusterWithAKilledNode PROPERTIES LABELS full SKIP_RETURN_CODE 77 TIMEOUT 900 RUN_SERIAL TRUE)
endif()
