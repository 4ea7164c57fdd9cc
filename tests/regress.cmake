# Tests of regressions, gates and comparisons; included by tests/CMakeLists.txt.
guardbit_test(unit/regress_test.cpp LINK guardbit_regress SYSTEMC LABELS unit)
guardbit_test(unit/gate_test.cpp LINK guardbit_regress SYSTEMC LABELS unit)
guardbit_test(system/compare_verb_test.cpp LINK guardbit_trace nlohmann_json::nlohmann_json LABELS system TOOL)
guardbit_test(system/regress_verb_test.cpp LINK guardbit_trace nlohmann_json::nlohmann_json LABELS system TOOL ALONE)

# Proof that a check sees one flipped rule: the command line with a copy of the units' rounder in which ties go away from
# zero instead of to even. Its object comes before the library that holds the right one, so the linker takes it.
set(rounder "${PROJECT_SOURCE_DIR}/models/kernels/scalar_rounder.cpp")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${rounder}")
file(READ "${rounder}" rounder_text)
string(REPLACE "kTiesToEven: return (all_ones >> 1) + is_odd;" "kTiesToEven: return (all_ones >> 1) + 1;" flipped_text
       "${rounder_text}")
if(flipped_text STREQUAL rounder_text)
  message(FATAL_ERROR "${rounder}: expected the rule of ties to even that tests/regress.cmake flips")
endif()
file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/flipped_rounder.cpp" CONTENT "${flipped_text}" @ONLY)
add_executable(guardbit_flipped $<TARGET_OBJECTS:guardbit> "${CMAKE_CURRENT_BINARY_DIR}/flipped_rounder.cpp")
get_target_property(guardbit_libraries guardbit LINK_LIBRARIES)
target_link_libraries(guardbit_flipped PRIVATE ${guardbit_libraries})
add_dependencies(regress_verb_test guardbit_flipped)
target_compile_definitions(regress_verb_test PRIVATE GUARDBIT_FLIPPED="$<TARGET_FILE:guardbit_flipped>")

# One digest everywhere: threads, vector targets, fidelities and floating-point environments that a host program or a
# library linked with -ffast-math leaves behind.
add_library(guardbit_test_mxcsr SHARED support/preset_mxcsr.cpp)
guardbit_test(system/determinism_test.cpp LINK guardbit_trace LABELS full TOOL ALONE)
add_dependencies(determinism_test guardbit_test_mxcsr)
target_compile_definitions(determinism_test PRIVATE GUARDBIT_MXCSR_LIBRARY="$<TARGET_FILE:guardbit_test_mxcsr>")
