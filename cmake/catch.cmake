# Catch2 as the target Catch2::Catch2. LORICA_ONLY_DEVICE needs no more than its header of version 2, catch2/catch.hpp, in the folder CATCH2_INCLUDE
# (setting or environment), in build/catch2 or in one of the system's, and builds no tests without it.
if(NOT LORICA_ONLY_DEVICE)
  find_package(Catch2 REQUIRED)
  return()
endif()
find_path(LORICA_CATCH2 catch2/catch.hpp HINTS ${CATCH2_INCLUDE} $ENV{CATCH2_INCLUDE} ${CMAKE_SOURCE_DIR}/build/catch2)
if(LORICA_CATCH2)
  add_library(Catch2::Catch2 INTERFACE IMPORTED)
  set_target_properties(Catch2::Catch2 PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${LORICA_CATCH2})
else()
  message(STATUS "No catch2/catch.hpp: no tests")
endif()
