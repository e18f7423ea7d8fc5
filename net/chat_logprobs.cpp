#include "net/chat_logprobs.hpp"

#include <string_view>

#include "core/shortest.hpp"
#include "net/completion_logprobs.hpp"

namespace lorica {
namespace {

void write_members(json_writer& w, std::string_view text, float logprob, std::string_view bytes) {
  w.key("token").string(text).key("logprob").number(shortest(logprob)).key("bytes").begin_array();
  for (unsigned char b : bytes)
    w.unsigned_integer(b);
  w.end_array();
}

}  // namespace

void write_chat_logprobs(json_writer& w, std::span<const generated_token> tokens) {
  w.begin_object().key("content").begin_array();
  for (auto& t : tokens) {
    w.begin_object();
    write_members(w, token_text(t), t.logprob, t.bytes);
    w.key("top_logprobs").begin_array();
    for (auto& other : t.top) {
      w.begin_object();
      write_members(w, other.text, other.logprob, other.bytes);
      w.end_object();
    }
    w.end_array().end_object();
  }
  w.end_array().end_object();
}

}  // namespace lorica
