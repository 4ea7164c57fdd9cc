# The command line as a person meets it, and the pages that describe it; included by tests/CMakeLists.txt.
foreach(test terminal/terminal_test docs/pages_test docs/commands_test)
  get_filename_component(name ${test} NAME_WE)
  add_test(NAME Pages.${name}
    COMMAND /usr/bin/python3 "${CMAKE_CURRENT_SOURCE_DIR}/${test}.py" "$<TARGET_FILE:guardbit>" "${PROJECT_SOURCE_DIR}")
  set_tests_properties(Pages.${name} PROPERTIES LABELS system TIMEOUT 600)
endforeach()
add_test(NAME Pages.commands_test_as_they_are
  COMMAND /usr/bin/python3 "${CMAKE_CURRENT_SOURCE_DIR}/docs/commands_test.py" "$<TARGET_FILE:guardbit>" "${PROJECT_SOURCE_DIR}" --full)
set_tests_properties(Pages.commands_test_as_they_are PROPERTIES LABELS full TIMEOUT 3600)
