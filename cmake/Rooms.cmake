# A room is one folder of src/, one static library, one namespace, one test program.

# kith_room(NAME [ROOMS room...] [LIBS public...] [PRIVATE_LIBS lib...])
#   ROOMS         rooms it may include; they are passed on to whoever links this one
#   LIBS          borrowed libraries its headers need
#   PRIVATE_LIBS  borrowed libraries only its .cpp files need
# A room's headers are seen through a directory that holds a link to this room alone, so
# including a room that is not linked fails to compile.
function(kith_room name)
  cmake_parse_arguments(ARG "" "SOURCE_DIR" "ROOMS;LIBS;PRIVATE_LIBS" ${ARGN})
  if(NOT ARG_SOURCE_DIR)
    set(ARG_SOURCE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${ARG_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  set(door ${CMAKE_BINARY_DIR}/doors/${name})
  file(MAKE_DIRECTORY ${door})
  file(CREATE_LINK ${ARG_SOURCE_DIR} ${door}/${name} SYMBOLIC)

  list(TRANSFORM ARG_ROOMS PREPEND kith_ OUTPUT_VARIABLE rooms)
  if(sources)
    add_library(kith_${name} STATIC ${sources})
    target_include_directories(kith_${name} PUBLIC ${door})
    target_link_libraries(kith_${name} PUBLIC ${rooms} ${ARG_LIBS} PRIVATE ${ARG_PRIVATE_LIBS} kith_flags)
  else()
    add_library(kith_${name} INTERFACE)
    target_include_directories(kith_${name} INTERFACE ${door})
    target_link_libraries(kith_${name} INTERFACE ${rooms} ${ARG_LIBS})
  endif()
endfunction()

# kith_test(NAME ROOMS room... [SOURCES file...] [LABEL unit|scenario|integration] [SHARDS n])
# One GoogleTest program: one test of CTest, or n with a share of its cases each.
function(kith_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT;SHARDS" "ROOMS;SOURCES;LIBS" ${ARGN})
  if(NOT ARG_SOURCES)
    file(GLOB ARG_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  endif()
  if(NOT ARG_SOURCES)
    return()
  endif()
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  list(TRANSFORM ARG_ROOMS PREPEND kith_ OUTPUT_VARIABLE rooms)
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${rooms} ${ARG_LIBS} kith_flags GTest::gmock GTest::gtest_main)
  # The compiler is run in the build folder, so a __FILE__ that ccache made relative is found from there.
  if(NOT ARG_SHARDS)
    add_test(NAME ${ARG_LABEL}.${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
    set_tests_properties(${ARG_LABEL}.${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
    return()
  endif()
  # A long program runs as several at once, each with a share of its cases. GoogleTest names its report
  # after argv[0], so each has a name of its own. The longest start first.
  math(EXPR last "${ARG_SHARDS} - 1")
  foreach(shard RANGE ${last})
    set(part ${name}-${shard})
    add_test(NAME ${ARG_LABEL}.${part} WORKING_DIRECTORY ${CMAKE_BINARY_DIR}
             COMMAND bash -c "exec -a ${part} '$<TARGET_FILE:${name}>'")
    set_tests_properties(${ARG_LABEL}.${part} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT} COST 1000
      ENVIRONMENT "GTEST_TOTAL_SHARDS=${ARG_SHARDS};GTEST_SHARD_INDEX=${shard}")
  endforeach()
endfunction()

# kith_fuzzer(NAME ROOMS room...): fuzz/NAME.cpp with LLVMFuzzerTestOneInput, corpus in fuzz/corpus/NAME.
function(kith_fuzzer name)
  cmake_parse_arguments(ARG "" "" "ROOMS" ${ARGN})
  list(TRANSFORM ARG_ROOMS PREPEND kith_ OUTPUT_VARIABLE rooms)
  add_executable(fuzz_${name} ${name}.cpp)
  target_link_libraries(fuzz_${name} PRIVATE ${rooms} kith_flags)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endfunction()
