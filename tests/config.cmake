# Tests of config and reports; included by tests/CMakeLists.txt.
guardbit_test(unit/config_fields_test.cpp LINK guardbit_config LABELS unit)
guardbit_test(unit/config_error_test.cpp LINK guardbit_config LABELS unit)
guardbit_test(unit/config_test.cpp LINK guardbit_config LABELS unit)
find_package(nlohmann_json REQUIRED)
guardbit_test(unit/report_test.cpp LINK guardbit_report nlohmann_json::nlohmann_json LABELS unit)
