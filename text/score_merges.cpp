#include "text/score_merges.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/utf8.hpp"

namespace lorica {
namespace {

// Position of each score among the different ones, highest first.
class ranking {
 public:
  explicit ranking(const std::vector<scored_piece>& pieces) {
    scores_.reserve(pieces.size());
    for (auto& p : pieces)
      scores_.push_back(p.score);
    std::sort(scores_.begin(), scores_.end(), std::greater());
    scores_.erase(std::unique(scores_.begin(), scores_.end()), scores_.end());
  }

  std::uint32_t of(float score) const {
    auto at = std::lower_bound(scores_.begin(), scores_.end(), score, std::greater());
    return static_cast<std::uint32_t>(at - scores_.begin());
  }

 private:
  std::vector<float> scores_;
};

// Calls `visit` for the begin of every character but the first.
template <class Visit>
void for_each_cut(std::string_view text, Visit visit) {
  for (std::size_t at = 1; at < text.size(); ++at)
    if (!utf8_is_tail(text[at])) visit(at);
}

class finder {
 public:
  explicit finder(token_id made_up) : next_(made_up) { out_.made_up = made_up; }

  result<score_merges> find(const std::vector<scored_piece>& pieces) {
    ids_.reserve(pieces.size());
    for (auto& p : pieces)
      if (auto ok = enter(p); !ok) return std::move(ok).error();
    for (auto& p : pieces)
      enter_characters(p.text);
    ranking ranks(pieces);
    for (auto& p : pieces)
      for_each_cut(p.text, [&](std::size_t at) {
        auto left = id(p.text.substr(0, at));
        auto right = id(p.text.substr(at));
        if (left >= 0 && right >= 0) out_.merges.push_back({left, right, p.id, ranks.of(p.score)});
      });
    return std::move(out_);
  }

 private:
  result<void> enter(const scored_piece& p) {
    if (p.text.size() > scored_piece_limit)
      return fail(errc::bad_model, "token " + std::to_string(p.id) + " is longer than " +
                                       std::to_string(scored_piece_limit) + " bytes");
    ids_.emplace(p.text, p.id);
    if (!p.text.empty() && utf8_length(p.text) == p.text.size())
      out_.characters.emplace(utf8_decode(p.text), p.id);
    return {};
  }

  void enter_characters(std::string_view text) {
    auto enter = [&](std::size_t at) {
      if (out_.characters.emplace(utf8_decode(text.substr(at)), next_).second) ++next_;
    };
    if (!text.empty()) enter(0);
    for_each_cut(text, enter);
  }

  token_id id(std::string_view text) const {
    if (utf8_length(text) == text.size()) return out_.characters.at(utf8_decode(text));
    auto it = ids_.find(text);
    return it == ids_.end() ? -1 : it->second;
  }

  token_id next_;
  std::unordered_map<std::string_view, token_id> ids_;
  score_merges out_;
};

}  // namespace

result<score_merges> merges_by_score(const std::vector<scored_piece>& pieces, token_id made_up) {
  return finder(made_up).find(pieces);
}

}  // namespace lorica
