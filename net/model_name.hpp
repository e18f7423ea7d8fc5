#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/server_info.hpp"

namespace lorica {

/// True for the names that mean the base: empty, `tgi`, `dummy`, its id, its served names, and any text that
/// begins with `http://` or `https://` (clients send the URL they were given; it is never opened).
bool means_base(std::string_view name, const server_info& info);

/// `name` as the generation service wants it: empty for the base.
std::string adapter_of(std::string_view name, const server_info& info);

/// The same for the `model` of an OpenAI route, where `base:adapter` (SGLang) and `base::adapter`
/// (mistral.rs) name an adapter too, `base` being any name of the base but an empty one. A name that means
/// the base as a whole is the base, colons or not. Fails with `errc::invalid` when nothing stands behind the
/// colon.
result<std::string> adapter_of_model(std::string_view model, const server_info& info);

}  // namespace lorica
