# Precompiled headers of the standard library and of third parties: compilation in two thirds of the time. quickstart and
# run-tests switch them on; a build from a preset has them off and so notices a header that a file forgot to include.
option(GUARDBIT_PRECOMPILED "Precompile the headers of the standard library and of third parties" OFF)

# guardbit_precompiled(<name> [EXECUTABLES] LINK <libraries...> HEADERS <headers...>): a set of headers, compiled once, for static
# libraries or for executables.
function(guardbit_precompiled name)
  if(NOT GUARDBIT_PRECOMPILED)
    return()
  endif()
  cmake_parse_arguments(arg "EXECUTABLES" "" "LINK;HEADERS" ${ARGN})
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp")
  if(NOT EXISTS "${source}")
    file(WRITE "${source}" "")
  endif()
  add_library(${name} OBJECT "${source}")
  target_link_libraries(${name} PRIVATE guardbit_flags ${arg_LINK})
  if(arg_EXECUTABLES)
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE -fPIE)
  endif()
  target_precompile_headers(${name} PRIVATE <algorithm> <array> <bit> <cmath> <cstdint> <filesystem> <functional> <limits> <map>
                            <memory> <optional> <span> <string> <string_view> <utility> <vector> ${arg_HEADERS})
endfunction()

# guardbit_use_precompiled(<name> <targets...>): these targets are compiled with the same options as the set.
function(guardbit_use_precompiled name)
  if(NOT GUARDBIT_PRECOMPILED)
    return()
  endif()
  foreach(target IN LISTS ARGN)
    target_precompile_headers(${target} REUSE_FROM ${name})
    # g++ 12 forgets that precompiled code is a system header's and repeats its false positives there.
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow)
  endforeach()
endfunction()
