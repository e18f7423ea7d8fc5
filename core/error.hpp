#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace lorica {

/// What went wrong, as a closed list. `net/http_error` maps each to an HTTP status and the error types of
/// both API families; the order is free, the names are not shown to users.
enum class errc : std::uint8_t {
  malformed,          ///< body or file is not what its format says (not JSON, truncated header)
  invalid,            ///< well-formed, but a field is wrong; the text names it
  unknown_adapter,    ///< no adapter or model of that name
  conflict,           ///< the state is not what the caller expected
  bad_adapter,        ///< an adapter was found but is refused; `reason` carries the stable code
  bad_model,          ///< a base model file is refused
  bad_config,         ///< a setting of the operator is wrong
  unauthorized,       ///< missing or wrong API key
  forbidden,          ///< not allowed to this caller, whatever the key
  overloaded,         ///< at a limit of admission; try again later
  payload_too_large,  ///< body above the limit
  unsupported_media,  ///< content type or encoding that is not taken
  unknown_route,      ///< no such path
  wrong_method,       ///< path exists, method does not
  header_too_large,   ///< request line or header fields above their limits
  out_of_memory,      ///< a part of the ledger is full and waiting cannot help
  generation_failed,  ///< the engine failed while this request ran
  incomplete,         ///< the server ended the request before it was done
  unavailable,        ///< not ready yet, or draining
  cancelled,          ///< the caller asked for it
  timeout,            ///< a deadline passed
  io,                 ///< a file or socket operation failed
  unsupported,        ///< a feature that is known but not served
  template_failed,    ///< a chat template refused the conversation; the text is the template's
  internal,           ///< a broken invariant
};

/// An expected failure: a code for programs, a text for people. Texts name the field, the value and what
/// would work; they hold no absolute paths, prompts, keys or library messages.
struct error {
  errc code = errc::internal;
  std::string text;
  std::string reason;  ///< stable word for refused adapters (`rank_too_large`), else empty
  std::string param;   ///< request field at fault (`model`), else empty
};

/// Value or error. Small on purpose: `std::expected` arrives with C++23.
template <class T>
class [[nodiscard]] result {
 public:
  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
  result(lorica::error e) : state_(std::in_place_index<1>, std::move(e)) {}  // NOLINT: implicit by design

  explicit operator bool() const noexcept { return state_.index() == 0; }
  bool has_value() const noexcept { return state_.index() == 0; }

  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }

  /// The error; only valid when there is no value.
  const lorica::error& error() const& { return std::get<1>(state_); }
  lorica::error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, lorica::error> state_;
};

/// Success without a value, or an error.
template <>
class [[nodiscard]] result<void> {
 public:
  result() = default;
  result(lorica::error e) : error_(std::move(e)) {}  // NOLINT: implicit by design

  explicit operator bool() const noexcept { return !error_; }
  bool has_value() const noexcept { return !error_; }
  const lorica::error& error() const& { return *error_; }
  lorica::error&& error() && { return *std::move(error_); }

 private:
  std::optional<lorica::error> error_;
};

/// Shorthand for returning a failure: `return fail(errc::invalid, "…")`.
inline error fail(errc code, std::string text, std::string reason = {}, std::string param = {}) {
  return error{code, std::move(text), std::move(reason), std::move(param)};
}

}  // namespace lorica
