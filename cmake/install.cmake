# Installation: the tool, its accelerator files, and the layers as a package for find_package(guardbit COMPONENTS ...), one export
# set a component (docs/library.md).
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(guardbit_numerics_layers flags numerics arith)
set(guardbit_models_layers highway kernels units transformer calibration)
set(guardbit_sim_layers systemc base trace config timing pe_array modules schedule replay conform probe report)
# The topmost layers of a component; they bring the others.
set(guardbit_numerics_top guardbit_arith)
set(guardbit_models_top guardbit_calibration)
set(guardbit_sim_top guardbit_replay guardbit_conform guardbit_probe guardbit_report)

set(package_directory "${CMAKE_INSTALL_LIBDIR}/cmake/guardbit")
foreach(component numerics models sim)
  foreach(layer IN LISTS guardbit_${component}_layers)
    set_target_properties(guardbit_${layer} PROPERTIES EXPORT_NAME layer_${layer})
    install(TARGETS guardbit_${layer} EXPORT guardbit-${component} ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}/guardbit")
  endforeach()
  add_library(guardbit_component_${component} INTERFACE)
  target_link_libraries(guardbit_component_${component} INTERFACE ${guardbit_${component}_top})
  set_target_properties(guardbit_component_${component} PROPERTIES EXPORT_NAME ${component})
  install(TARGETS guardbit_component_${component} EXPORT guardbit-${component})
  install(EXPORT guardbit-${component} NAMESPACE guardbit:: DESTINATION "${package_directory}")
endforeach()

foreach(tree models sim)
  install(DIRECTORY ${tree} DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/guardbit"
          FILES_MATCHING PATTERN "*.h" PATTERN "*-inl.h" EXCLUDE PATTERN "cli" EXCLUDE PATTERN "python" EXCLUDE)
endforeach()
install(TARGETS guardbit RUNTIME)
install(DIRECTORY configs/accelerators DESTINATION "${CMAKE_INSTALL_DATADIR}/guardbit/configs")

# Manual page and completions, which the tool itself writes from its table of verbs and options.
set(pages "${PROJECT_BINARY_DIR}/pages")
file(MAKE_DIRECTORY "${pages}")
foreach(page "man|guardbit.1|${CMAKE_INSTALL_MANDIR}/man1" "completion bash|guardbit|${CMAKE_INSTALL_DATADIR}/bash-completion/completions"
        "completion zsh|_guardbit|${CMAKE_INSTALL_DATADIR}/zsh/site-functions"
        "completion fish|guardbit.fish|${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
  string(REGEX MATCH "(.*)\\|(.*)\\|(.*)" _ "${page}")
  set(words "${CMAKE_MATCH_1}")
  set(file "${pages}/${CMAKE_MATCH_2}")
  set(destination "${CMAKE_MATCH_3}")
  install(CODE "execute_process(COMMAND \"$<TARGET_FILE:guardbit>\" ${words} OUTPUT_FILE \"${file}\" COMMAND_ERROR_IS_FATAL ANY)")
  install(FILES "${file}" DESTINATION "${destination}")
endforeach()

configure_package_config_file(cmake/guardbit-config.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/guardbit-config.cmake"
                              INSTALL_DESTINATION "${package_directory}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/guardbit-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/guardbit-config.cmake" "${CMAKE_CURRENT_BINARY_DIR}/guardbit-config-version.cmake"
        DESTINATION "${package_directory}")
