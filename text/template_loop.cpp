#include "text/template_loop.hpp"

#include <algorithm>

namespace lorica::jinja {

loop_object::loop_object(const datum& walked, std::unique_ptr<iterator> steps, bool sized, recursion again,
                         std::size_t depth, meter& use)
    : steps_(std::move(steps)),
      length_(sized ? length_of(walked) : std::nullopt),
      again_(std::move(again)),
      depth_(depth),
      depth_of_items_(walked.depth() + 1),
      use_(use) {}

std::optional<std::size_t> loop_object::length() const {
  return const_cast<loop_object*>(this)->count();
}

std::string loop_object::repr() const {
  return "<LoopContext " + std::to_string(index_) + "/" + std::to_string(*length()) + ">";
}

std::unique_ptr<iterator> loop_object::walk() {
  return stepping([this]() { return next(); });
}

const std::optional<datum>& loop_object::peek() {
  if (!after_ && !ended_) {
    after_ = steps_->next();
    ended_ = !after_;
  }
  return after_;
}

std::optional<datum> loop_object::next() {
  peek();
  if (!after_) return std::nullopt;
  ++index_;
  before_ = std::exchange(current_, std::exchange(after_, std::nullopt));
  return current_;
}

std::size_t loop_object::count() {
  if (length_) return *length_;
  // A generator is walked to its end and kept.
  items rest;
  if (peek()) rest.push_back(*after_);
  after_.reset();
  while (auto next = steps_->next()) {
    use_.step();
    rest.push_back(*next);
  }
  length_ = index_ + rest.size();
  ended_ = false;
  steps_ = stepping([rest = std::move(rest), at = std::size_t{0}]() mutable -> std::optional<datum> {
    return at == rest.size() ? std::nullopt : std::optional(rest[at++]);
  });
  return *length_;
}

std::optional<datum> loop_object::attribute(const datum& self, const std::string& name) {
  auto number = [](std::size_t n) { return datum::number(static_cast<integer>(n)); };
  auto rest = [&](std::size_t from) {
    return datum::number(static_cast<integer>(count()) - static_cast<integer>(from));
  };
  if (name == "index") return number(index_);
  if (name == "index0") return datum::number(static_cast<integer>(index_) - 1);
  if (name == "first") return datum::boolean(index_ == 1);
  if (name == "last") return datum::boolean(!peek());
  if (name == "length") return number(count());
  if (name == "revindex") return rest(index_ - 1);
  if (name == "revindex0") return rest(index_);
  if (name == "previtem") return index_ == 1 ? datum::undefined("there is no previous item") : before_;
  if (name == "nextitem") return peek() ? after_ : datum::undefined("there is no next item");
  if (name == "depth") return number(depth_ + 1);
  if (name == "depth0") return number(depth_);
  if (name == "cycle" || name == "changed")
    return datum::of(std::make_shared<loop_method>(self.object_pointer(), name == "cycle"));
  return std::nullopt;
}

datum loop_object::cycle(const call_arguments& given) const {
  if (!given.named.empty() || given.positional.empty()) type_error("no items for cycling given");
  return given.positional[(index_ - 1) % given.positional.size()];
}

datum loop_object::changed(const call_arguments& given) {
  if (!given.named.empty()) type_error("changed() takes no keyword arguments");
  bool same = changed_ && std::equal(changed_->begin(), changed_->end(), given.positional.begin(),
                                     given.positional.end(), equal);
  if (!same) changed_ = given.positional;
  return datum::boolean(!same);
}

datum loop_object::call(const call_arguments& given) const {
  bound_arguments a(given, "loop", {"iterable"}, 1);
  if (!again_) type_error("The loop must have the 'recursive' marker to be called recursively.");
  return again_(a.at(0), depth_ + 1);
}

}  // namespace lorica::jinja
