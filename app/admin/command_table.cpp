#include "app/admin/command_table.hpp"

#include <algorithm>

#include "app/admin/commands.hpp"

namespace lorica::admin {
namespace {

constexpr option_row everywhere[] = {
    {"--url", "URL", "The server. [LORICA_URL] Default: http://127.0.0.1:3000"},
    {"--api-key", "KEY",
     "Sent as bearer. Prefer the environment [LORICA_API_KEY, ADMIN_API_KEY, API_KEY] or a file."},
    {"--api-key-file", "FILE", "First line of FILE is the key.", {}, word_kind::file},
    {"--cacert",
     "FILE",
     "PEM file of the authorities to trust in place of the system's. [LORICA_CACERT]",
     {},
     word_kind::file},
    {"--insecure", "", "Take any certificate: who is in between can read and change everything."},
    {"--json", "", "One JSON document on standard output; one per line for events."},
    {"--timeout", "SECONDS", "For each request. Default: 10"},
    {"--help", "", "Help, also of one command."},
    {"--version", "", "Print the version."},
};

constexpr argument_row no_arguments_[1] = {};
constexpr std::span<const argument_row> no_arguments(no_arguments_, 0);
constexpr option_row no_options_[1] = {};
constexpr std::span<const option_row> no_options(no_options_, 0);

constexpr argument_row one_adapter[] = {{"NAME", word_kind::adapter}};
constexpr argument_row load_arguments[] = {{"NAME", word_kind::adapter}, {"SOURCE", word_kind::file}};
constexpr argument_row alias_arguments[] = {{"NAME"}, {"TARGET", word_kind::adapter}};
constexpr argument_row declare_arguments[] = {{"FILE", word_kind::file}};
constexpr argument_row job_arguments[] = {{"ID", word_kind::none, true}};
constexpr argument_row completion_arguments[] = {{"SHELL", word_kind::shell}};

constexpr option_row list_options[] = {
    {"--sort", "ORDER", "Default: name", "name requests bytes last-used"},
    {"--state", "STATE", "Only those in this state.", "ready loading failed"},
    {"--names", "", "Names only, one per line."},
};
constexpr option_row show_options[] = {
    {"--modules", "", "One line per module instead of one per kind of module."},
};
constexpr option_row load_options[] = {
    {"--revision", "REVISION", "Branch, tag or commit of a Hub source."},
    {"--pin", "", "Keep it in memory."},
    {"--defaults", "JSON",
     "What its requests mean where they say nothing, as {\"temperature\": 0, \"stop\": [\"\\n\"]}; {} for "
     "none."},
    {"--expected-version", "HEX",
     "At least 12 digits that the version must begin with now; empty: the name must be new."},
    {"--dry-run", "", "Read and check everything, change nothing."},
    {"--no-wait", "", "Print the job and do not wait for its end."},
};
constexpr option_row unload_options[] = {
    {"--mode", "MODE", "What happens to its requests. Default: drain", "drain deadline abort"},
    {"--deadline", "SECONDS", "What --mode deadline leaves them. Default: 30"},
    {"--no-wait", "", "Print the job and do not wait for its end."},
};
constexpr option_row declare_options[] = {
    {"--dry-run", "", "Compare only."},
};
constexpr option_row job_options[] = {
    {"--cancel", "ID", "Cancel a load that runs."},
};
constexpr option_row event_options[] = {
    {"--follow", "", "Go on until interrupted or until the server ends the stream."},
    {"--count", "N", "End after N events."},
};
constexpr option_row top_options[] = {
    {"--interval", "SECONDS", "Between readings. Default: 1"},
    {"--count", "N", "Without a terminal: so many tables. Default: 1"},
    {"--sort", "ORDER", "At the start. Default: requests", "name requests bytes last-used"},
};
constexpr option_row bench_options[] = {
    {"--runs", "N", "Requests of each kind. Default: 10"},
    {"--prompt", "TEXT", "What is sent. Default: Once upon a time"},
};

constexpr command_row commands[] = {
    {"list", "Adapters, by name.", no_arguments, list_options,
     "Columns: version, state, where it is (device, host, disk, hub), ranks, bytes in memory, requests "
     "inside\n"
     "the server (users), requests since the start, those that found it in memory (hits), reads of its "
     "files\n"
     "(loads), time since the last request, and marks (pinned, paused, dynamic, alias of).",
     &run_list},
    {"show", "One adapter: status, what its files change, why its latest load failed.", one_adapter,
     show_options, "", &run_show},
    {"load", "Load an adapter, or load it anew.", load_arguments, load_options,
     "SOURCE is a path below an adapter root of the server, or org/name[@revision] of the Hub.\n"
     "Waits for the end and shows progress on a terminal. Ctrl-C cancels the load, a second one leaves.",
     &run_load},
    {"unload", "Unload an adapter; its name is unknown to new requests at once.", one_adapter, unload_options,
     "Waits until its requests are gone. Ctrl-C leaves; the unload goes on.", &run_unload},
    {"pin", "Keep it in memory.", one_adapter, no_options, "", &run_pin},
    {"unpin", "Let it be evicted again.", one_adapter, no_options, "", &run_unpin},
    {"pause", "New requests wait, running ones go on.", one_adapter, no_options, "", &run_pause},
    {"resume", "Let requests that wait go on.", one_adapter, no_options, "", &run_resume},
    {"prefetch", "Bring it into memory if there is room.", one_adapter, no_options, "", &run_prefetch},
    {"evict", "Take it out of memory now; the next request reads it again.", one_adapter, no_options,
     "Refused (memory_in_use) while it is pinned or a request holds it.", &run_evict},
    {"alias", "Make NAME another word for TARGET.", alias_arguments, no_options, "", &run_alias},
    {"declare", "Make a set of adapters the whole set.", declare_arguments, declare_options,
     "FILE holds {\"adapters\": [{\"name\", \"source\", \"revision\", \"pin\"}, ...]}; - is standard input.\n"
     "What is not in it is unloaded.",
     &run_declare},
    {"jobs", "Loads and unloads, running and lately ended; one of them; or cancel one.", job_arguments,
     job_options, "", &run_jobs},
    {"events", "What happens to adapters, as it happens.", no_arguments, event_options,
     "The server keeps nothing of the past: give --follow or --count. jobs tells what ended lately.",
     &run_events},
    {"health", "Readiness, model, queue, KV cache and memory. Ends with 1 when the server is not ready.",
     no_arguments, no_options, "", &run_health},
    {"top", "Full-screen view of traffic, memory and events; a plain table without a terminal.", no_arguments,
     top_options,
     "Keys: up, down select; t b l n sort by traffic, bytes, last use, name; p pins or unpins; u unloads\n"
     "(asks first); ? help; q quits.",
     &run_top},
    {"bench-adapter", "Time to the first token, cold and warm.", one_adapter, bench_options,
     "Evicts the adapter before each cold request, so it is read from its files (which the system may have\n"
     "in its cache) and packed. The server must not be using it and it must not be pinned.",
     &run_bench_adapter},
    {"completion", "A completion script for bash or zsh.", completion_arguments, no_options,
     "bash: source <(lorica-admin completion bash)\nzsh:  source <(lorica-admin completion zsh)",
     &run_completion},
};

}  // namespace

std::span<const command_row> command_table() noexcept {
  return commands;
}

std::span<const option_row> global_options() noexcept {
  return everywhere;
}

const command_row* find_command(std::string_view name) noexcept {
  auto at =
      std::find_if(std::begin(commands), std::end(commands), [&](auto& row) { return row.name == name; });
  return at == std::end(commands) ? nullptr : at;
}

const option_row* find_option(std::span<const option_row> rows, std::string_view name) noexcept {
  auto at = std::find_if(rows.begin(), rows.end(), [&](auto& row) { return row.name == name; });
  return at == rows.end() ? nullptr : &*at;
}

}  // namespace lorica::admin
