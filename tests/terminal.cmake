# The command line as a person meets it, and the pages that describe it; included by tests/CMakeLists.txt.
function(guardbit_pages_test name file)
  cmake_parse_arguments(arg "" "LABEL" "ARGUMENTS" ${ARGN})
  add_test(NAME Pages.${name} COMMAND /usr/bin/python3 "${CMAKE_CURRENT_SOURCE_DIR}/${file}" "$<TARGET_FILE:guardbit>" "${PROJECT_SOURCE_DIR}"
                                      ${arg_ARGUMENTS})
  set_tests_properties(Pages.${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT 3600)
endfunction()

guardbit_pages_test(Terminal terminal/terminal_test.py LABEL system)
guardbit_pages_test(LinksOptionsAndTables docs/pages_test.py LABEL system)
if(NOT GUARDBIT_SANITIZE)  # what the commands run has sanitized tests of its own
  guardbit_pages_test(CommandsRunShortened docs/commands_test.py LABEL system)
  guardbit_pages_test(CommandsRunAsTheyAre docs/commands_test.py LABEL full ARGUMENTS --full)
endif()
