#include "adapters/hub_job.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "adapters/refusal.hpp"
#include "core/checked.hpp"

// What the replies mean for a job.
namespace lorica {
namespace {

constexpr unsigned most_redirects = 5;
constexpr std::uint32_t most_pages = 1000;

bool is_redirect(int status) noexcept {
  constexpr std::array<int, 5> redirects = {301, 302, 303, 307, 308};
  return std::find(redirects.begin(), redirects.end(), status) != redirects.end();
}

bool may_pass(int status) noexcept {
  constexpr std::array<int, 6> passing = {408, 429, 500, 502, 503, 504};
  return std::find(passing.begin(), passing.end(), status) != passing.end();
}

error mismatch(std::string text) {
  return refused(refusal::digest_mismatch, std::move(text));
}

}  // namespace

error hub_job::bad_redirect() const {
  return refused(refusal::path_not_allowed,
                 "'" + wanted_.id +
                     "' cannot be fetched: the Hub redirects to a place that is not allowed; "
                     "hosts on http and https are, and no way back from https");
}

void hub_job::end_of_reply(hub_outcome outcome, time_point now) {
  if (broken_by_) return retry(*broken_by_, now);
  if (!has_head_) return retry(unreachable("cannot be reached, or breaks the connection"), now);
  int status = head_.status();
  bool far = request_.head && is_redirect(status) && describes_file();
  if (is_redirect(status) && !far) return redirect(now);
  if (!far && (status < 200 || status > 299)) return refuse_status(now);
  if (step_ == step::body) return end_of_body(outcome, now);
  if (outcome != hub_outcome::complete) return retry(unreachable("breaks off its answers"), now);
  if (step_ == step::revision) return take_revision();
  if (step_ == step::listing) return take_page();
  take_head();
}

// A HEAD that redirects to where the content lies tells about the file itself; one that redirects to another
// name of the repository does not.
bool hub_job::describes_file() const {
  auto location = head_.find("location").value_or("");
  if (is_relative_reference(location)) return false;
  auto to = resolve_reference(request_.url, location);
  return !to || !same_origin(*to, options_.endpoint) || head_.find("x-linked-etag");
}

bool hub_job::may_redirect(const hub_url& to) const noexcept {
  if (same_origin(to, options_.endpoint)) return true;
  if (options_.endpoint.secure && !to.secure) return false;
  auto& domains = options_.redirect_domains;
  return domains.empty() || std::any_of(domains.begin(), domains.end(), [&](const std::string& domain) {
           return is_below_domain(to.host, domain);
         });
}

void hub_job::redirect(time_point) {
  auto location = head_.find("location");
  auto to = location ? resolve_reference(request_.url, *location) : std::nullopt;
  if (!to || !may_redirect(*to)) return end(bad_redirect());
  if (++redirects_ > most_redirects)
    return end(unreachable("redirects more than " + std::to_string(most_redirects) + " times"));
  bool home = same_origin(*to, options_.endpoint);
  // A token that was once left behind stays behind: the redirect back is not the endpoint's.
  request_.with_token = request_.with_token && home;
  request_.at_endpoint = home;
  request_.url = *std::move(to);
  state_ = state::ready;
}

void hub_job::refuse_status(time_point now) {
  int status = head_.status();
  auto code = head_.find("x-error-code").value_or("");
  auto answer = unreachable("answers with status " + std::to_string(status));
  if (may_pass(status)) return retry(std::move(answer), now, retry_after_of(head_));
  // Where a link was signed for a while, it may have run out; the endpoint gives a new one.
  if (!request_.at_endpoint) return retry(std::move(answer), now);
  const std::string token =
      options_.token.empty() ? "; if it is private, set HF_TOKEN" : "; or the token may not read it";
  auto not_found = [&](std::string text) {
    return fail(errc::unknown_adapter, std::move(text), std::string(refusal::hub_not_found));
  };
  if (code == "GatedRepo" || (status == 403 && code.empty()))
    return end(refused(refusal::hub_gated,
                       "'" + wanted_.id + "' is gated: accept its terms on the Hub, and " +
                           (options_.token.empty() ? "set HF_TOKEN" : "check the token in HF_TOKEN")));
  if (code == "RevisionNotFound")
    return end(not_found("'" + wanted_.id + "' has no revision '" + wanted_.revision + "' on the Hub"));
  if (code == "EntryNotFound" && step_ != step::revision && step_ != step::listing)
    return end(not_found("'" + wanted_.id + "' lists " + file_name() + " on the Hub, but does not have it"));
  if (status == 401 || status == 403 || status == 404 || code == "RepoNotFound")
    return end(not_found("'" + wanted_.id + "' is not on the Hub" + token));
  end(std::move(answer));
}

void hub_job::take_revision() {
  auto commit = parse_revision(body_);
  if (!commit) return end(about_this(commit.error()));
  commit_ = *std::move(commit);
  if (in_cache(commit_)) return finish(true);
  list_files();
}

void hub_job::take_page() {
  if (auto ok = choice_.take_page(body_); !ok) return end(about_this(ok.error()));
  auto next = next_page_of(head_);
  if (next) {
    auto url = resolve_reference(request_.url, *next);
    if (!url || !same_origin(*url, options_.endpoint))
      return end(refused(refusal::path_not_allowed,
                         "'" + wanted_.id + "' cannot be fetched: its listing goes on at another host"));
    bool circle = url->text() == request_.url.text() || url->text() == first_page_;
    if (circle || ++pages_ >= most_pages) return end(unreachable("gives a listing without an end"));
    return ask_page(*std::move(url));
  }
  auto files = choice_.chosen(wanted_.id);
  if (!files) return end(files.error());
  files_ = *std::move(files);
  std::uint64_t total = 0;
  for (auto& each : files_) {
    auto sum = checked_add(total, each.size);
    if (!sum || *sum > options_.max_bytes)
      return end(refused(refusal::too_large, "'" + wanted_.id + "' has more than the " +
                                                 std::to_string(options_.max_bytes) +
                                                 " bytes that an adapter may have"));
    total = *sum;
  }
  progress_->total_bytes = total;
  if (auto ok = repository_.prepare(commit_); !ok) return end(ok.error());
  next_file();
}

void hub_job::take_head() {
  auto commit = commit_of(head_);
  auto etag = etag_of(head_);
  if (!commit || !etag)
    return end(unreachable(std::string("sends no usable ") + (commit ? "etag" : "X-Repo-Commit") + " for " +
                           file_name() + "; a proxy that removes header fields does that"));
  if (*commit != commit_)
    return end(refused(refusal::source_changed,
                       "'" + wanted_.id + "' changed while it was fetched; fetch it again"));
  auto size = size_of(head_).value_or(file().size);
  constexpr std::size_t sha1_digits = 40, sha256_digits = 64;
  bool is_sha256 = is_lower_hex(*etag, sha256_digits), is_sha1 = is_lower_hex(*etag, sha1_digits);
  auto& listed = file().sha256.empty() ? file().git_oid : file().sha256;
  bool other = (is_sha256 || is_sha1) && listed.size() == etag->size() && listed != *etag;
  if (size != file().size || other)
    return end(mismatch(file_name() + " of '" + wanted_.id + "' has " + std::to_string(size) +
                        " bytes and another listing; the Hub does not agree with itself"));
  expectation_ = {file_name(), *etag, size, file().sha256, {}};
  if (expectation_.sha256.empty() && is_sha256) expectation_.sha256 = *etag;
  if (expectation_.sha256.empty()) expectation_.git_oid = is_sha1 ? *etag : file().git_oid;
  location_.reset();
  if (is_redirect(head_.status())) {
    location_ = resolve_reference(request_.url, head_.find("location").value_or(""));
    if (!location_ || !may_redirect(*location_)) return end(bad_redirect());
  }
  blob_ = std::make_unique<hub_blob>(repository_, expectation_);
  step_ = step::lock;
  state_ = state::working;
}

void hub_job::end_of_body(hub_outcome outcome, time_point now) {
  if (blob_->is_full()) return settle();
  bool cut_off = outcome == hub_outcome::broken || outcome == hub_outcome::cut;
  retry(unreachable(cut_off ? "breaks off the transfer of " + file_name()
                            : "sends less of " + file_name() + " than it says"),
        now);
}

}  // namespace lorica
