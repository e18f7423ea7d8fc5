#pragma once

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace lorica {

// Payloads: immutable, shared, of this process only; defined in payloads.hpp.
struct adapter_command;
struct adapter_reference;
struct adapters_facts;
class ahead_order;
struct batch;
struct catalogue_changes;
struct chat_span_job;
struct drain_order;
struct encoded_prompt;
struct encode_job;
struct fetch_job;
struct fetched;
struct load_job;
struct packed_load;
struct request_facts;
struct scheduler_facts;
struct span_job;
struct step_output;
struct submission;
struct token_chunk;
struct version_reference;
class packed_adapter;
class root_index;

using adapter_command_ptr = std::shared_ptr<const adapter_command>;
using adapters_facts_ptr = std::shared_ptr<const adapters_facts>;
using ahead_order_ptr = std::shared_ptr<const ahead_order>;
using batch_ptr = std::shared_ptr<const batch>;
using block_list_ptr = std::shared_ptr<const std::vector<std::uint32_t>>;
using catalogue_changes_ptr = std::shared_ptr<const catalogue_changes>;
using chat_span_job_ptr = std::shared_ptr<const chat_span_job>;
using drain_order_ptr = std::shared_ptr<const drain_order>;
using encode_job_ptr = std::shared_ptr<const encode_job>;
using encode_reply = std::shared_ptr<const result<encoded_prompt>>;
using fetch_job_ptr = std::shared_ptr<const fetch_job>;
using fetch_reply = std::shared_ptr<const result<fetched>>;
using error_ptr = std::shared_ptr<const error>;
using lease_reply = std::shared_ptr<const result<std::shared_ptr<const packed_adapter>>>;
using load_job_ptr = std::shared_ptr<const load_job>;
using load_reply = std::shared_ptr<const result<packed_load>>;
using outcome_ptr = std::shared_ptr<const result<void>>;
using packed_ptr = std::shared_ptr<const packed_adapter>;
using request_facts_ptr = std::shared_ptr<const request_facts>;
using resolve_reply = std::shared_ptr<const result<adapter_reference>>;
using scheduler_facts_ptr = std::shared_ptr<const scheduler_facts>;
using scan_reply = std::shared_ptr<const result<root_index>>;
using span_job_ptr = std::shared_ptr<const span_job>;
using step_reply = std::shared_ptr<const result<step_output>>;
using submission_ptr = std::shared_ptr<const submission>;
using token_chunk_ptr = std::shared_ptr<const token_chunk>;
using version_reference_ptr = std::shared_ptr<const version_reference>;

}  // namespace lorica

namespace caf {
template <class T>
struct allowed_unsafe_message_type<std::shared_ptr<const T>> : std::true_type {};
}  // namespace caf
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(lorica::adapter_version)

namespace lorica {

/// First element of every message; equal texts are equal types.
namespace atom {
using acquire = caf::atom_constant<caf::atom("acquire")>;
using attach = caf::atom_constant<caf::atom("attach")>;
using cancel = caf::atom_constant<caf::atom("cancel")>;
using command = caf::atom_constant<caf::atom("command")>;
using destroy = caf::atom_constant<caf::atom("destroy")>;
using detach = caf::atom_constant<caf::atom("detach")>;
using drain = caf::atom_constant<caf::atom("drain")>;
using encode = caf::atom_constant<caf::atom("encode")>;
using execute = caf::atom_constant<caf::atom("execute")>;
using expire = caf::atom_constant<caf::atom("expire")>;
using failed = caf::atom_constant<caf::atom("failed")>;
using fetch = caf::atom_constant<caf::atom("fetch")>;
using finish = caf::atom_constant<caf::atom("finish")>;
using leave = caf::atom_constant<caf::atom("leave")>;
using load = caf::atom_constant<caf::atom("load")>;
using pause = caf::atom_constant<caf::atom("pause")>;
using publish = caf::atom_constant<caf::atom("publish")>;
using release = caf::atom_constant<caf::atom("release")>;
using resolve = caf::atom_constant<caf::atom("resolve")>;
using rest = caf::atom_constant<caf::atom("rest")>;
using resume = caf::atom_constant<caf::atom("resume")>;
using scan = caf::atom_constant<caf::atom("scan")>;
using spans = caf::atom_constant<caf::atom("spans")>;
using step = caf::atom_constant<caf::atom("step")>;
using store = caf::atom_constant<caf::atom("store")>;
using submit = caf::atom_constant<caf::atom("submit")>;
using tokens = caf::atom_constant<caf::atom("tokens")>;
using watch = caf::atom_constant<caf::atom("watch")>;
}  // namespace atom

/// SESSION: one per request, from its start to the last call of its sink. Spawned by the gateway.
using session_actor = caf::typed_actor<
    // A step produced tokens for choices of this request; at most one message per step.
    caf::reacts_to<atom::tokens, token_chunk_ptr>,
    // The request ends with this error: from the scheduler, or from whoever ends the server.
    caf::reacts_to<atom::failed, error_ptr>,
    // The client went away.
    caf::reacts_to<atom::cancel>,
    // The sink has drained.
    caf::reacts_to<atom::resume>,
    // The overall deadline of the request passed.
    caf::reacts_to<atom::expire>>;

/// TOKENIZER: a worker of a small pool; prompts are rendered and encoded on its own thread.
using tokenizer_actor = caf::typed_actor<
    // A prompt to ids, cut to its last tokens where the request says so.
    caf::replies_to<atom::encode, encode_job_ptr>::with<encode_reply>,
    // A text to tokens with their places; the job's callback gets the answer.
    caf::reacts_to<atom::spans, span_job_ptr>,
    // A conversation likewise.
    caf::reacts_to<atom::spans, chat_span_job_ptr>>;

/// SCHEDULER: one per model; plans steps and drives the executor, one step in flight.
using scheduler_actor = caf::typed_actor<
    // All choices of a request join the queue.
    caf::reacts_to<atom::submit, submission_ptr>,
    // A choice is wanted no more: the client left, or its text reached a stop string.
    caf::reacts_to<atom::cancel, sequence_id>,
    // A choice stays out of steps until it is resumed: its reader is slow.
    caf::reacts_to<atom::pause, sequence_id>,
    // It may run again.
    caf::reacts_to<atom::resume, sequence_id>,
    // An adapter waits too long for room: one of these is to go, or none any more.
    caf::reacts_to<atom::drain, drain_order_ptr>,
    // To itself: plan and start the next step, after everything that arrived before.
    caf::reacts_to<atom::step>,
    // To itself: a while ago, after so many steps, nothing was left to do.
    caf::reacts_to<atom::rest, std::uint64_t>>;

/// ADAPTERS: which names exist and which versions are resident. Never waits for a load.
using adapters_actor = caf::typed_actor<
    // What a name means now; the answer holds for the whole request. It comes at once for a name that
    // serves; a name that is being loaded, is paused, or may be found by its name, is waited for.
    caf::replies_to<atom::resolve, std::string>::with<resolve_reply>,
    // A request that named an adapter is over: sent by the destructor of its stay.
    caf::reacts_to<atom::leave, std::uint64_t>,
    // An operator wants something; the command's callback gets the answer.
    caf::reacts_to<atom::command, adapter_command_ptr>,
    // Make a version usable in steps; calls for one version share one load.
    caf::replies_to<atom::acquire, version_reference_ptr>::with<lease_reply>,
    // A lease ended: sent by its destructor.
    caf::reacts_to<atom::release, adapter_version>,
    // The server ends: loads are called off.
    caf::reacts_to<atom::cancel>,
    // To itself: a request waited long enough for a name, or an unload for its requests.
    caf::reacts_to<atom::expire, std::uint64_t>,
    // To itself: publish what changed since the last time.
    caf::reacts_to<atom::publish>>;

/// LOADER: reads, checks and packs adapters, and frees them, on a thread of low priority.
using loader_actor = caf::typed_actor<
    // A directory to a packed adapter.
    caf::replies_to<atom::load, load_job_ptr>::with<load_reply>,
    // What lies under the allowed roots now.
    caf::replies_to<atom::scan>::with<scan_reply>,
    // Drop what should be the last reference: giving the memory back takes time. The answer is its bytes.
    caf::replies_to<atom::destroy, packed_ptr>::with<std::uint64_t>>;

/// STORE: the catalogue on disk.
using store_actor = caf::typed_actor<
    // All of these changes or none; the answer comes when they are durable.
    caf::replies_to<atom::store, catalogue_changes_ptr>::with<outcome_ptr>>;

/// HUB: downloads repositories into the Hugging Face cache; many at once, none waits for another.
using hub_actor = caf::typed_actor<
    // A repository at a revision to a directory of the cache and the commit it is.
    caf::replies_to<atom::fetch, fetch_job_ptr>::with<fetch_reply>,
    // To itself: transfers go on.
    caf::reacts_to<atom::step>>;

/// EXECUTOR: owns the calls into the engine, on the thread that computes.
using executor_actor = caf::typed_actor<
    // One step; a failure is a value of the reply.
    caf::replies_to<atom::execute, batch_ptr>::with<step_reply>,
    // Right behind the step before, if all its sequences go on and nobody withdrew the order: else null.
    caf::replies_to<atom::execute, ahead_order_ptr>::with<step_reply>,
    // Make an adapter usable in later steps.
    caf::replies_to<atom::attach, packed_ptr>::with<outcome_ptr>,
    // No later step names it; it goes on to the loader to be freed, whose answer this is.
    caf::replies_to<atom::detach, packed_ptr>::with<std::uint64_t>,
    // Nothing is left to do: give memory back, that of these empty KV blocks too.
    caf::replies_to<atom::rest, block_list_ptr>::with<outcome_ptr>>;

/// TELEMETRY: turns facts into metrics. (The status is read from status_board, without a mailbox.)
using telemetry_actor = caf::typed_actor<
    // The scheduler after a step, or when it falls idle.
    caf::reacts_to<atom::publish, scheduler_facts_ptr>,
    // The adapters after a change.
    caf::reacts_to<atom::publish, adapters_facts_ptr>,
    // A session at its end.
    caf::reacts_to<atom::finish, request_facts_ptr>>;

/// SUPERVISOR: hears of the death of a permanent actor and ends what depended on it.
using supervisor_actor = caf::typed_actor<
    // From now on this actor is watched; its name is for the log.
    caf::reacts_to<atom::watch, caf::strong_actor_ptr, std::string>>;

}  // namespace lorica
