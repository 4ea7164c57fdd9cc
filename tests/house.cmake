# Tests of the source tree itself.
add_test(NAME House.EveryIncludeFollowsTheLayers
  COMMAND /usr/bin/python3 "${CMAKE_CURRENT_SOURCE_DIR}/support/check_layering.py" "${PROJECT_SOURCE_DIR}")
add_test(NAME House.SourcesAreFormatted
  COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/support/check_format.sh" "${PROJECT_SOURCE_DIR}")
add_test(NAME House.SpeedTableIsTheBenchmarks
  COMMAND /usr/bin/python3 "${CMAKE_CURRENT_SOURCE_DIR}/bench/ratios_test.py" "${PROJECT_SOURCE_DIR}/docs/speed.md")
set_tests_properties(House.EveryIncludeFollowsTheLayers House.SourcesAreFormatted House.SpeedTableIsTheBenchmarks
                     PROPERTIES LABELS unit)
if(NOT GUARDBIT_SANITIZE)
  add_test(NAME Consumer.BuildsAgainstAnInstalledGuardbit
    COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/support/check_consumer.sh" "${PROJECT_BINARY_DIR}" "${PROJECT_SOURCE_DIR}")
  set_tests_properties(Consumer.BuildsAgainstAnInstalledGuardbit PROPERTIES LABELS system)
endif()
