# Run at build time: fills in build_info.cpp.in with the commit of the sources; rewrites the file only if it changed.
execute_process(COMMAND git -C "${SOURCE_DIR}" describe --always --abbrev=12 --exclude * --dirty=+changes
                OUTPUT_VARIABLE GUARDBIT_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT GUARDBIT_COMMIT)
  set(GUARDBIT_COMMIT unknown)
endif()
configure_file("${INPUT}" "${OUTPUT}" @ONLY)
