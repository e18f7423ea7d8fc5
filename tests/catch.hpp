#pragma once

// One place that knows which Catch2 is installed: Debian 12 has version 2, later releases have version 3.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
