#pragma once

#include <string>

namespace lorica::admin {

// Scripts made of the table of commands. Names of adapters are asked of the server that the line names (or
// the environment), for a second at most; without an answer nothing is completed.
std::string bash_completion();
std::string zsh_completion();

}  // namespace lorica::admin
