# embed(target FILE …): makes files a part of the program, in the order of net/embedded_files.hpp; paths from the root.
# cmake/embed.py reads YAML, so it needs a Python with python3-yaml: the system's, or else the first one in PATH.
function(embed target)
  set(output ${CMAKE_BINARY_DIR}/generated/${target}/embedded_files.cpp)
  list(TRANSFORM ARGN PREPEND ${CMAKE_SOURCE_DIR}/ OUTPUT_VARIABLE files)
  add_custom_command(OUTPUT ${output}
                     COMMAND ${LORICA_PYTHON} ${CMAKE_SOURCE_DIR}/cmake/embed.py ${output} ${files}
                     DEPENDS ${CMAKE_SOURCE_DIR}/cmake/embed.py ${files} VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()

if(NOT LORICA_PYTHON)
  foreach(candidate /usr/bin/python3 python3)
    execute_process(COMMAND ${candidate} -c "import yaml" RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
    if("${failed}" STREQUAL "0")
      set(LORICA_PYTHON ${candidate} CACHE STRING "A Python 3 with PyYAML")
      break()
    endif()
  endforeach()
endif()
if(NOT LORICA_PYTHON)
  message(FATAL_ERROR "No Python 3 with PyYAML: install python3-yaml (tools/setup.sh does), or set LORICA_PYTHON")
endif()
