#pragma once

namespace lorica {

/// How much a line of the log matters.
enum class log_level { debug, info, warn, error };

}  // namespace lorica
