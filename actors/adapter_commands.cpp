#include "actors/adapter_commands.hpp"

#include <fmt/core.h>

#include <map>
#include <set>
#include <utility>

#include "adapters/names.hpp"
#include "core/shown.hpp"

namespace lorica {
namespace {

generation_defaults defaults_of(const catalogue_entry& entry) {
  return entry.defaults ? *entry.defaults : generation_defaults{};
}

}  // namespace

result<adapter_loading::order> order_of(adapter_load what, root_use roots) {
  auto choice = choose_origin(what.source, what.revision);
  if (roots == root_use::none && choice.hub) choice.root.reset();
  if (!choice.root && !choice.hub)
    return fail(
        errc::invalid,
        fmt::format("source \"{}\" is neither a path below an adapter root nor org/name[@revision] of "
                    "the Hub",
                    shown(what.source)),
        "invalid_source", "source");
  if (!what.revision.empty() && what.source.find('@') == std::string::npos)
    what.source += "@" + what.revision;
  adapter_loading::order out{std::move(what), {}, {}, false};
  out.origin = choice.root ? *std::move(choice.root) : *choice.hub;
  if (choice.root) out.else_from = std::move(choice.hub);
  return out;
}

void adapter_commands::carry_out(adapter_command::any what) {
  std::visit([this](auto& one) { run(std::move(one)); }, what);
}

void adapter_commands::run(adapter_command::load c) {
  auto order = order_of(std::move(c.what), roots_);
  if (!order) return c.done(order.error());
  bool later = c.when == answer_when::ended;
  auto job = loading_.begin(*std::move(order), later ? c.done : adapter_jobs::answer());
  if (!later || !job) c.done(std::move(job));
}

void adapter_commands::run(adapter_command::preview c) {
  if (auto ok = check_adapter_name(c.what.name); !ok) return c.done(ok.error());
  auto order = order_of(c.what, roots_);
  if (!order) return c.done(order.error());
  adapter_read read;
  read.job = {c.what.name, order->origin, false, {}, nullptr};
  if (c.what.defaults) read.job.chat_template = c.what.defaults->chat_template;
  read.else_from = order->else_from;
  read.newest = true;
  read.done = [this, c](result<packed_load> r, const adapter_origin&) {
    preview(c.what, std::move(r), c.done);
  };
  world_.reads.read(std::move(read));
}

void adapter_commands::preview(const adapter_load& what, result<packed_load> read,
                               const adapter_service::answer<adapter_preview>& done) {
  if (!read) return done(read.error());
  adapter_preview out;
  out.contents = *read->contents;
  auto& version = out.contents.version;
  auto entry = world_.names.find(what.name);
  out.changes = !entry || !entry->current || entry->current->version != version;
  auto& books = world_.shelf.books();
  if (books.resident(version)) {
    out.fits = true;
    return done(std::move(out));
  }
  auto leaving = books.victims(out.contents.bytes);
  out.fits = leaving.has_value();
  if (leaving)
    for (auto& victim : *leaving)
      out.evicts.push_back(world_.names.name_of(victim));
  done(std::move(out));
}

void adapter_commands::run(adapter_command::unload c) {
  auto job = unload(c.what, c.when, c.done);
  if (!job) c.done(job.error());
}

/// A load of the name that runs is called off; requests that wait for it hear that the name is unknown.
result<adapter_job> adapter_commands::unload(const adapter_unload& what, answer_when when,
                                             adapter_jobs::answer done) {
  auto job = unloading_.begin(what, when, std::move(done));
  if (!job) return job;
  loading_.stop(what.name);
  settled_(what.name);
  return job;
}

void adapter_commands::run(adapter_command::alias c) {
  if (loading_.running(c.name))
    return c.done(fail(errc::conflict, fmt::format("The adapter '{}' is being loaded", shown(c.name)),
                       "already_loading"));
  if (auto ok = world_.names.set_alias(c.name, c.target, world_.seconds()); !ok) return c.done(ok.error());
  world_.emit("alias", c.name, {}, "of " + c.target);
  keep(c.name, c.done);
}

void adapter_commands::run(adapter_command::act c) {
  auto entry = world_.names.find(c.name);
  if (!entry || entry->state == adapter_state::unloaded)
    return c.done(fail(errc::unknown_adapter,
                       fmt::format("The lora adapter '{}' cannot be found.", shown(c.name)),
                       "adapter_not_found"));
  auto name = entry->alias_of.empty() ? c.name : entry->alias_of;
  switch (c.what) {
    case adapter_action::pin: return pin(name, true, c.done);
    case adapter_action::unpin: return pin(name, false, c.done);
    case adapter_action::pause:
    case adapter_action::resume: {
      bool paused = c.what == adapter_action::pause;
      if (entry->paused == paused) return answer_status(name, c.done);
      static_cast<void>(world_.names.set_paused(name, paused));
      world_.emit(paused ? "paused" : "resumed", name);
      if (!paused) settled_(name);
      return keep(name, c.done);
    }
    case adapter_action::prefetch:
      if (entry->current) world_.shelf.prefetch(entry->current);
      return answer_status(name, c.done);
    case adapter_action::evict: return evict(name, c.done);
  }
}

void adapter_commands::evict(const std::string& name, const adapter_service::answer<adapter_status>& done) {
  auto current = world_.names.find(name)->current;
  bool was_there = current && world_.shelf.books().resident(current->version);
  if (current)
    if (auto gone = world_.shelf.evict(current->version); !gone) return done(gone.error());
  if (was_there) world_.emit("evicted", name, current->version, "asked for");
  answer_status(name, done);
}

void adapter_commands::pin(const std::string& name, bool pinned,
                           const adapter_service::answer<adapter_status>& done) {
  auto entry = world_.names.find(name);
  if (entry->pinned == pinned) return answer_status(name, done);
  static_cast<void>(world_.names.set_pinned(name, pinned));
  auto version = entry->current;
  auto say = [this, name, pinned, done] {
    world_.emit(pinned ? "pinned" : "unpinned", name);
    keep(name, done);
  };
  if (!version) return say();
  if (!pinned) {
    if (world_.names.pins(version->version) == 0) world_.shelf.unpin(version->version);
    return say();
  }
  world_.shelf.pin(version, [this, name, version, say, done](const result<void>& outcome) {
    if (outcome) return say();
    static_cast<void>(world_.names.set_pinned(name, false));
    if (world_.names.pins(version->version) == 0) world_.shelf.unpin(version->version);
    done(outcome.error());
  });
}

/// Writes the entry down and answers with it.
void adapter_commands::keep(const std::string& name, const adapter_service::answer<adapter_status>& done) {
  if (loading_.defer(name, [this, name, done] { keep(name, done); })) return;
  auto entry = world_.names.find(name);
  bool kept = entry && !entry->dynamic && (entry->current || !entry->alias_of.empty());
  if (!kept) return answer_status(name, done);
  world_.keep({name, record_of(*entry)}, [this, name, done](const result<void>& outcome) {
    if (!outcome) return done(outcome.error());
    answer_status(name, done);
  });
}

void adapter_commands::answer_status(const std::string& name,
                                     const adapter_service::answer<adapter_status>& done) {
  world_.publish();
  auto entry = world_.names.find(name);
  if (!entry || entry->state == adapter_state::unloaded)
    return done(fail(errc::unknown_adapter,
                     fmt::format("The lora adapter '{}' cannot be found.", shown(name)),
                     "adapter_not_found"));
  done(world_.status(*entry));
}

void adapter_commands::run(adapter_command::show c) {
  auto entry = world_.names.find(c.name);
  if (!entry)
    return c.done(fail(errc::unknown_adapter,
                       fmt::format("The lora adapter '{}' cannot be found.", shown(c.name)),
                       "adapter_not_found"));
  adapter_detail out;
  out.status = world_.status(*entry);
  out.failure = entry->failure;
  out.defaults = defaults_of(*entry);
  if (entry->current)
    if (auto known = world_.contents.find(entry->current->version); known != world_.contents.end())
      out.contents = *known->second;
  c.done(std::move(out));
}

void adapter_commands::run(adapter_command::show_job c) {
  c.done(world_.jobs.find(c.id));
}

void adapter_commands::run(adapter_command::cancel_job c) {
  auto job = world_.jobs.running(c.id);
  if (!job) return c.done(world_.jobs.find(c.id));  // ended: nothing is left to cancel
  if (job->facts.kind == job_kind::unload)
    return c.done(fail(errc::conflict, "An unload cannot be cancelled; load the adapter again", "too_late"));
  if (auto ok = loading_.cancel(*job); !ok) return c.done(ok.error());
  c.done(world_.jobs.find(c.id));
}

void adapter_commands::run(adapter_command::list_jobs c) {
  c.done(world_.jobs.list());
}

/// Compares before anything is done, so that a set with a mistake changes nothing.
void adapter_commands::run(adapter_command::declare c) {
  std::map<std::string, adapter_loading::order> wanted;
  for (auto& one : c.wanted) {
    if (auto ok = check_adapter_name(one.name); !ok) return c.done(ok.error());
    auto name = one.name;
    auto order = order_of(std::move(one), roots_);
    if (!order) return c.done(order.error());
    if (!wanted.emplace(name, *std::move(order)).second)
      return c.done(
          fail(errc::invalid, fmt::format("adapter '{}' is wanted twice", name), "invalid_name", "adapters"));
  }
  const bool compare = c.mode == declare_mode::compare;
  std::vector<adapter_change> out;
  auto note = [&](const std::string& name, std::string action, const result<adapter_job>& job) {
    out.push_back({name, job ? std::move(action) : "refused", job ? job->id : std::string()});
  };
  for (auto& entry : world_.names.list()) {
    bool counts = entry.alias_of.empty() && !entry.dynamic && entry.state != adapter_state::unloaded;
    if (!counts || wanted.contains(entry.name)) continue;
    if (compare)
      out.push_back({entry.name, "unload", {}});
    else
      note(entry.name, "unload", unload({entry.name, unload_mode::drain, 0}, answer_when::accepted, {}));
  }
  for (auto& [name, order] : wanted) {
    auto entry = world_.names.find(name);
    bool there = entry && !entry->dynamic && (entry->current || loading_.running(name)) &&
                 entry->state != adapter_state::unloaded;
    bool same = there && entry->source == order.what.source && entry->alias_of.empty() &&
                entry->pinned == order.what.pin.value_or(entry->pinned) &&
                (!order.what.defaults || *order.what.defaults == defaults_of(*entry));
    if (same) {
      out.push_back({name, "keep", {}});
      continue;
    }
    if (compare)
      out.push_back({name, there ? "update" : "load", {}});
    else
      note(name, there ? "update" : "load", loading_.begin(std::move(order), {}));
  }
  c.done(std::move(out));
}

void adapter_commands::run(adapter_command::watch c) {
  if (c.tell) return world_.events.watch(c.watcher, std::move(c.tell));
  world_.events.unwatch(c.watcher);
}

}  // namespace lorica
