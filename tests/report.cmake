# Tests of reports that are files of their own (the HTML page, the timeline); included by tests/CMakeLists.txt.
foreach(test html_report_test html_sweep_test)
  guardbit_test(unit/${test}.cpp LINK guardbit_report LABELS unit)
endforeach()
foreach(test report_verb_test timeline_test)
  guardbit_test(system/${test}.cpp LINK nlohmann_json::nlohmann_json guardbit_trace LABELS system TOOL)
endforeach()

# In a browser, where there is one. Exit code 77: not run, the reason is printed. Scripts gain nothing from sanitizers.
find_program(GUARDBIT_NODE node)
if(GUARDBIT_NODE AND NOT GUARDBIT_SANITIZE)
  add_test(NAME Browser.ReportPage COMMAND "${GUARDBIT_NODE}" "${CMAKE_CURRENT_SOURCE_DIR}/browser/report_test.mjs"
           "$<TARGET_FILE:guardbit>" "${PROJECT_SOURCE_DIR}")
  add_test(NAME Browser.ScriptIsWhatItsSourcesGive
           COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/browser/asset_test.sh" "${PROJECT_SOURCE_DIR}")
  set_tests_properties(Browser.ReportPage Browser.ScriptIsWhatItsSourcesGive
                       PROPERTIES LABELS system SKIP_RETURN_CODE 77 TIMEOUT 600)
endif()
