# Language level, warnings, hardening and sanitizers, once for the whole tree.

option(KITH_TESTS "build the tests" ON)
option(KITH_FUZZ "build the libFuzzer targets (clang)" OFF)
option(KITH_WERROR "treat warnings as errors" OFF)
set(KITH_SANITIZE "" CACHE STRING "sanitizers, as given to -fsanitize=")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(KITH_CCACHE ccache)
if(KITH_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${KITH_CCACHE})
endif()
find_program(KITH_LLD ld.lld)
if(KITH_LLD)
  add_link_options(-fuse-ld=lld)
endif()

# The warnings apply to kith's own targets only (kith_room adds the interface library).
add_library(kith_flags INTERFACE)
target_compile_options(kith_flags INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
  -Wno-missing-field-initializers)
if(KITH_WERROR)
  target_compile_options(kith_flags INTERFACE -Werror)
endif()

if(KITH_SANITIZE)
  add_compile_options(-fsanitize=${KITH_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${KITH_SANITIZE})
  if(KITH_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    add_compile_options(-fno-sanitize=function) # clang 14: coroutines fail in the assembler with it
  endif()
else()
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection)
  add_compile_definitions($<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
  add_link_options(-Wl,-z,relro,-z,now)
endif()
