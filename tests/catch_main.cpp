// Version 2 of Catch2 needs its main compiled once; version 3 brings it as a library.
#define CATCH_CONFIG_MAIN
#include "tests/catch.hpp"
