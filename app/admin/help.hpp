#pragma once

#include <string>

#include "app/admin/command_table.hpp"

namespace lorica::admin {

/// All commands, options and exit codes.
std::string help();

/// How one command is called and what it takes.
std::string help(const command_row& command);

}  // namespace lorica::admin
