#pragma once

#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/generation.hpp"
#include "net/http_message.hpp"

namespace lorica {

/// Turns the progress of one request into the JSON of its events. One object per request, called in the order
/// of `response_sink`, never at once from two threads.
class event_format {
 public:
  using events = std::vector<std::string>;

  virtual ~event_format() = default;

  /// Fields of the reply's head beyond those of every stream.
  virtual std::vector<http_field> fields(const generation_started& facts) = 0;
  /// The head went out without `fields`: the last event of each choice has to name who serves.
  virtual void name_at_end(const served_by& served) = 0;
  virtual events chunk(const generation_chunk& tokens) = 0;
  virtual events finished(const generation_finish& end) = 0;
  virtual events done() = 0;

  /// A failure after the head went out.
  virtual events failed(const error& why) = 0;

  /// The answer to a failure before it.
  virtual http_reply refused(const error& why) = 0;
};

}  // namespace lorica
