# Warnings as errors for our own code; libraries come from system directories and stay silent. What nvcc makes for the host compiler does not
# stand the stricter ones; the same sources are compiled with all of them for the emulated device.
option(LORICA_WARNINGS_ARE_ERRORS "OFF for compilers that this was not written with" ON)
add_library(lorica_warnings INTERFACE)
target_compile_options(lorica_warnings INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wconversion>"
                                                 "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>")
if(LORICA_WARNINGS_ARE_ERRORS)
  target_compile_options(lorica_warnings INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-Werror>"
                                                   "$<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings;-Xcompiler=-Werror>")
endif()
