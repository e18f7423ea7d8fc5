#pragma once

#include <span>

#include "config/setting.hpp"

namespace lorica {

/// The rows of `serve_settings_table`, group by group in its order.
std::span<const setting> model_settings();     ///< which base model
std::span<const setting> adapter_settings();   ///< which adapters, and the memory for them
std::span<const setting> schedule_settings();  ///< who runs next
std::span<const setting> compute_settings();   ///< what computes, and how
std::span<const setting> request_settings();   ///< what requests may ask for
std::span<const setting> server_settings();    ///< address, keys, connections, directories, log
std::span<const setting> tgi_settings();       ///< known from TGI and not served: accepted or refused

}  // namespace lorica
