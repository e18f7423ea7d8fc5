#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "text/template_arguments.hpp"
#include "text/template_value.hpp"

namespace lorica::jinja {

/// The variable `loop`: where a loop is in what it walks. It looks one item ahead, or at all of them when the
/// length of a generator is asked for.
class loop_object final : public object {
 public:
  /// Renders the loop's body for other items; empty for loops that are not recursive.
  using recursion = std::function<datum(const datum&, std::size_t depth)>;

  loop_object(const datum& walked, std::unique_ptr<iterator> steps, bool sized, recursion again,
              std::size_t depth, meter& use);

  std::string_view type_name() const override { return "LoopContext"; }
  std::optional<std::size_t> length() const override;
  bool callable() const override { return true; }
  std::unique_ptr<iterator> walk() override;
  std::string repr() const override;
  unsigned depth() const override { return depth_of_items_; }

  /// The next item, which becomes the current one.
  std::optional<datum> next();

  /// `loop.index`, `loop.last`, …; nothing for other names.
  std::optional<datum> attribute(const datum& self, const std::string& name);
  datum cycle(const call_arguments& given) const;
  datum changed(const call_arguments& given);
  datum call(const call_arguments& given) const;

 private:
  std::size_t count();
  const std::optional<datum>& peek();

  std::unique_ptr<iterator> steps_;
  std::optional<std::size_t> length_;
  recursion again_;
  std::size_t depth_;
  unsigned depth_of_items_;
  meter& use_;
  std::size_t index_ = 0;  // of the current item, from 1
  std::optional<datum> before_, current_, after_;
  bool ended_ = false;
  std::optional<items> changed_;
};

/// `loop.cycle` and `loop.changed`.
class loop_method final : public object {
 public:
  loop_method(datum::object_ptr loop, bool cycles) : loop(std::move(loop)), cycles(cycles) {}
  std::string_view type_name() const override { return "method"; }
  bool callable() const override { return true; }

  datum::object_ptr loop;
  bool cycles;
};

}  // namespace lorica::jinja
