# Warnings as errors for our own code; libraries come from system directories and stay silent.
add_library(lorica_warnings INTERFACE)
target_compile_options(lorica_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Werror)
