#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "model/model_config.hpp"

namespace lorica::bench {

/// A model's sizes: `mistral-7b`, `tiny`, or all of them as
/// `layers=2,hidden=64,heads=4,kv_heads=2,head_dim=16,ffn=96,vocab=160,positions=256`. `errc::bad_config`
/// names what is wrong.
result<model_config> shape_named(std::string_view text);

/// Names that `shape_named` knows.
std::vector<std::string_view> shape_names();

}  // namespace lorica::bench
