#pragma once

#include "tests/emulated_device/lanes.hpp"
#include "tests/emulated_device/runtime.hpp"
#include "tests/emulated_device/words.hpp"
