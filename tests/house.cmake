# Tests of the source tree itself.
add_test(NAME House.EveryIncludeFollowsTheLayers
  COMMAND /usr/bin/python3 "${CMAKE_CURRENT_SOURCE_DIR}/support/check_layering.py" "${PROJECT_SOURCE_DIR}")
add_test(NAME House.SourcesAreFormatted
  COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/support/check_format.sh" "${PROJECT_SOURCE_DIR}")
add_test(NAME House.SpeedTableIsTheBenchmarks
  COMMAND /usr/bin/python3 "${CMAKE_CURRENT_SOURCE_DIR}/bench/ratios_test.py" "${PROJECT_SOURCE_DIR}/README.md")
set_tests_properties(House.EveryIncludeFollowsTheLayers House.SourcesAreFormatted House.SpeedTableIsTheBenchmarks
                     PROPERTIES LABELS unit)
