#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/value.hpp"

namespace lorica {

/// The first thing that was wrong while a file was read; later ones follow from it.
class first_problem {
 public:
  void add(std::string text) {
    if (!error_) error_ = fail(errc::bad_model, std::move(text));
  }
  const std::optional<error>& get() const noexcept { return error_; }

 private:
  std::optional<error> error_;
};

/// One object of `tokenizer.json` with its place in the file, for reading fields by name. A field of the
/// wrong kind is noted as a problem and reads as its fallback, so a loader can read on and look at the
/// problem once.
class json_part {
 public:
  /// `object` may be null (absent); it and `problem` outlive the part.
  json_part(const value* object, std::string place, first_problem& problem);

  bool present() const noexcept { return object_ != nullptr; }
  const std::string& place() const noexcept { return place_; }

  /// Notes every field that is not listed: it could change the meaning of the others.
  void allow(std::initializer_list<std::string_view> fields);

  /// Notes a problem with this part.
  void refuse(std::string_view what) const;

  bool flag(std::string_view field) const;                 ///< required
  bool flag(std::string_view field, bool fallback) const;  ///< may be absent or null
  std::string text(std::string_view field) const;          ///< required
  std::optional<std::string> optional_text(std::string_view field) const;
  token_id id(std::string_view field) const;               ///< required, not negative
  const value::array& list(std::string_view field) const;  ///< required
  json_part child(std::string_view field) const;           ///< an object, or absent
  const value* find(std::string_view field) const;

  /// A part for an item of a list in this one.
  json_part item(std::string_view list, std::size_t index, const value& v) const;

 private:
  void wrong_kind(std::string_view field, std::string_view wanted) const;

  const value* object_;
  std::string place_;
  first_problem* problem_;
};

}  // namespace lorica
