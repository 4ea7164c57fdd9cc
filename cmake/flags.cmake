# Flags every target of this project is compiled with, and the one place for third-party targets.

if(CMAKE_CXX_FLAGS MATCHES "-ffast-math|-Ofast|-funsafe-math|-march=native")
  message(FATAL_ERROR "CMAKE_CXX_FLAGS has '${CMAKE_CXX_FLAGS}': -ffast-math, -Ofast, -funsafe-math-optimizations and "
                      "-march=native change results; remove them")
endif()

add_library(guardbit_flags INTERFACE)
target_include_directories(guardbit_flags INTERFACE
  "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>" "$<INSTALL_INTERFACE:include/guardbit>")
target_compile_features(guardbit_flags INTERFACE cxx_std_20)
foreach(option IN ITEMS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wswitch-enum
        $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)  # g++ 12 false positive for character + std::string at -O2 and above
  target_compile_options(guardbit_flags INTERFACE "$<BUILD_INTERFACE:${option}>")
endforeach()
# Bit accuracy, of users' code too: GCC contracts a*b+c to an FMA as soon as the host has one. Never contract, never
# reassociate; do not add -march=native or -ffast-math anywhere.
target_compile_options(guardbit_flags INTERFACE -ffp-contract=off)
# Nobody replaces a function of ours at load time: position-independent code inlines as other code does.
target_compile_options(guardbit_flags INTERFACE "$<BUILD_INTERFACE:-fno-semantic-interposition>")
if(GUARDBIT_WERROR)
  target_compile_options(guardbit_flags INTERFACE "$<BUILD_INTERFACE:-Werror>")
endif()
if(GUARDBIT_SANITIZE)
  target_compile_options(guardbit_flags INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
    -Wno-maybe-uninitialized)  # g++ 12 reports false positives in std headers under the sanitizers
  target_link_options(guardbit_flags INTERFACE -fsanitize=address,undefined)
endif()
if(GUARDBIT_FUZZ)
  target_compile_options(guardbit_flags INTERFACE
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(guardbit_flags INTERFACE -fsanitize=address,undefined)
endif()

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_library(HWY_LIBRARY hwy REQUIRED)
find_library(SYSTEMC_LIBRARY systemc REQUIRED)

add_library(guardbit_highway INTERFACE)
target_link_libraries(guardbit_highway INTERFACE "$<BUILD_INTERFACE:${HWY_LIBRARY}>" "$<INSTALL_INTERFACE:hwy>")

# SystemC 2.3.4 as packaged by Debian was compiled as C++17 and checks at link time that its users
# were too (undefined reference to sc_api_version_2_3_4_cxx202002L). SC_CPLUSPLUS names the standard
# of the library, not ours.
add_library(guardbit_systemc INTERFACE)
target_link_libraries(guardbit_systemc INTERFACE
  "$<BUILD_INTERFACE:${SYSTEMC_LIBRARY}>" "$<INSTALL_INTERFACE:systemc>")
target_compile_definitions(guardbit_systemc INTERFACE SC_CPLUSPLUS=201703L)

# guardbit_unity(<target>): under the sanitizers a target's files are compiled a dozen at a time, which takes six tenths of the
# processor time. Other builds compile each file alone, so that a missing #include is found there.
function(guardbit_unity target)
  if(GUARDBIT_SANITIZE)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)  # takes every file but the first for a header
  endif()
endfunction()

# guardbit_compiled_alone(<files...>): not with others, because a helper in each has the name of a helper in another file.
function(guardbit_compiled_alone)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# guardbit_layer(<name> SOURCES ... LINK ...): one library per layer, header-only when it has no sources.
function(guardbit_layer name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  if(arg_SOURCES)
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC guardbit_flags ${arg_LINK})
    guardbit_unity(${name})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE guardbit_flags ${arg_LINK})
  endif()
endfunction()
