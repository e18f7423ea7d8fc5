#pragma once

#include "tests/emulated_device/matmul.hpp"
