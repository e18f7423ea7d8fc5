#pragma once

#include "tests/emulated_device/lanes.hpp"
