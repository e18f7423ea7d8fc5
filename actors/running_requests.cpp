#include "actors/running_requests.hpp"

namespace lorica {

void running_requests::add(const submission& s) {
  auto r = std::make_shared<request>();
  r->session = s.session;
  r->first = s.first;
  r->left = sequences_of(s);
  for (auto& adapter : s.adapters)
    r->meanings.push_back(adapter.reference.meaning);
  for (std::uint32_t i = 0; i < sequences_of(s); ++i)
    owners_[s.first + i] = r;
  for (auto& meaning : r->meanings) {
    auto& entry = meanings_[meaning->version];
    entry.meaning = meaning;
    ++entry.requests;
  }
}

sequence running_requests::make_sequence(const submission& s, std::uint32_t number) {
  const auto& prompt = s.prompts[number / s.choices];
  const auto choice = number % s.choices;
  sequence out;
  out.id = s.first + number;
  out.prompt = prompt.ids;
  out.max_new_tokens = prompt.max_new_tokens;
  out.ignore_eos = s.ignore_eos;
  out.sampling = s.sampling;
  out.sampling.seed += choice;
  for (auto& adapter : s.adapters)
    out.composition.push_back({adapter.reference.meaning->version, adapter.weight});
  out.combine = s.combine;
  out.top_logprobs = s.top_logprobs;
  out.cache_salt = s.cache_salt;
  if (choice == 0) out.prompt_logprobs = s.prompt_logprobs;
  return out;
}

void running_requests::admitted(sequence_id id, time_point now) {
  auto found = owners_.find(id);
  if (found != owners_.end() && !found->second->admitted) found->second->admitted = now;
}

version_reference_ptr running_requests::meaning(const adapter_version& version) const {
  auto found = meanings_.find(version);
  return found == meanings_.end() ? nullptr : found->second.meaning;
}

void running_requests::remove(sequence_id id) {
  auto owner = owners_.extract(id);
  if (owner.empty() || --owner.mapped()->left > 0) return;
  for (auto& meaning : owner.mapped()->meanings) {
    auto entry = meanings_.find(meaning->version);
    if (--entry->second.requests == 0) meanings_.erase(entry);
  }
}

running_requests::news running_requests::deliver(const plan_outcome& outcome, time_point now) {
  std::vector<std::pair<std::shared_ptr<request>, token_chunk>> chunks;  // one per request
  std::unordered_map<const request*, std::size_t> places;
  std::unordered_map<sequence_id, std::pair<std::size_t, std::size_t>> last;  // chunk and event of a sequence
  auto place_of = [&](const std::shared_ptr<request>& r) {
    auto [place, fresh] = places.emplace(r.get(), chunks.size());
    if (fresh) chunks.emplace_back(r, token_chunk{{}, r->admitted.value_or(now), now});
    return place->second;
  };
  for (auto& token : outcome.scored) {
    auto owner = owners_.find(token.id);
    if (owner != owners_.end()) chunks[place_of(owner->second)].second.scored.push_back(token);
  }
  for (auto& token : outcome.tokens) {
    auto owner = owners_.find(token.id);
    if (owner == owners_.end()) continue;
    auto& r = owner->second;
    auto place = place_of(r);
    auto& events = chunks[place].second.events;
    last[token.id] = {place, events.size()};
    events.push_back({static_cast<std::uint32_t>(token.id - r->first), token.token, token.logprob,
                      std::nullopt, token.rank, token.top});
  }
  news out;
  for (auto& end : outcome.ended) {
    auto owner = owners_.find(end.id);
    if (owner == owners_.end()) continue;
    auto event = last.find(end.id);
    auto& session = owner->second->session;
    if (end.how && event != last.end()) {
      chunks[event->second.first].second.events[event->second.second].end = *end.how;
    } else if (end.how) {
      auto why = fail(errc::internal, "A sequence ended without a token");
      out.errors.emplace_back(session, std::make_shared<const error>(why));
    } else if (end.how.error().code != errc::cancelled) {
      out.errors.emplace_back(session, std::make_shared<const error>(end.how.error()));
    }
    remove(end.id);
  }
  for (auto& [r, chunk] : chunks)
    out.chunks.emplace_back(r->session, std::make_shared<const token_chunk>(std::move(chunk)));
  return out;
}

}  // namespace lorica
