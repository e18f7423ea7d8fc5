"""Checks of our own, which schemathesis calls for every answer (`hooks` in schemathesis.toml)."""
import json
import re

import schemathesis

# Rules between fields, or between a field and the model, which a schema cannot say. A request that fits the schema may be
# refused for these and for nothing else.
RULES = [re.compile(text) for text in (
    # choice of adapters
    r"at most one of `adapter_id` or `adapters`",
    r"`model` and `adapter_id` name two different adapters",
    r"number of adapter IDs must match",
    r"names `.*` more than once",
    r"names `.*`, which means the base",
    # lengths of prompt and text together
    r"`inputs` must have less than \d+ tokens",
    r"`inputs` cannot be empty",  # a text whose tokens are none
    r"`inputs` tokens \+ `max_new_tokens` must be <=",
    r"`min_tokens` must be <= (`max_tokens`|the \d+ tokens)",
    # several sequences
    r"`best_of` != 1 is not supported when streaming",
    r"you must use sampling when `best_of`",
    r"`seed` must not be set when `best_of`",
    r"`best_of` must be >= `n`",
    r"`best_of` > `n` is not supported when streaming",
    # streams
    r"`decoder_input_details` == true is not supported when streaming",
    r"`prompt_logprobs` is not supported when streaming",
    r"`stream_options` needs `stream`",
    # chats
    r"^(Template error: )",  # the model's own refusal of a conversation
    r"`tools` is not served",
    r"^continue_final_message: the last message ",
    r"`continue_final_message` and `add_generation_prompt` cannot both",
    r"`top_logprobs` needs `logprobs`",
    r"Number of prompts exceeds the maximum allowed batch size",
    # the vocabulary
    r"which is not in the vocabulary of \d+ tokens",
    r"token id \d+ is not in the vocabulary",
    r"holds a word that the vocabulary has no tokens for",
    r"`allowed_token_ids` names only tokens that",
    # adapters
    r"is in the query and in the body; give one of them",
    r"`dry_run` cannot stand beside `alias_of`",
    r"`seconds` goes with mode=deadline only",
    r"`alias_of` must be another name",
    r"adapter name '.*' (means the base model|is there twice)",
    r"has already been loaded",
)]

# Refusals of a whole document, which have no field to name, and words of other servers that do not quote it.
WHOLE = [re.compile(text) for text in (
    r"^The body must be a JSON object$",
    r"^(text is not valid JSON|JSON )",
    r"^text is not valid UTF-8$",
    r"^JSON text is empty$",
    r"^The (path|query) holds a broken %-escape",
    r"^A deletion has no body",
    r"number of adapter IDs must match number of adapter weights",  # LoRAX's words
    r"grammar is not (supported|valid)",  # TGI's words
)]

REFUSED_FOR_ITS_DATA = {400, 413, 415, 422}


def words_of(response) -> str:
    """The text of a refusal, in either shape."""
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        raise AssertionError(f"a refusal without words: {response.text[:200]!r}")
    return error["message"] if isinstance(error, dict) else error


@schemathesis.check
def valid_data_is_taken(ctx, response, case):
    """What fits the schema is refused for a rule between fields only."""
    mode = case.meta.generation.mode if case.meta else None
    if mode is None or not mode.is_positive or response.status_code not in REFUSED_FOR_ITS_DATA:
        return
    text = words_of(response)
    if reason_of(response) in OF_FILES:
        return
    assert any(rule.search(text) for rule in RULES), f"refused, although it fits the schema: {text}"


# Adapters that are named rightly and cannot be loaded: docs/adapters.md has these words.
OF_FILES = {"path_not_allowed", "invalid_source", "not_found", "hub_unreachable", "hub_offline"}


def reason_of(response) -> str:
    try:
        return response.json()["error_type"]
    except (ValueError, KeyError, TypeError):
        return ""


@schemathesis.check
def refusals_name_their_field(ctx, response, case):
    """A refused request is told which of its fields is wrong."""
    if response.status_code not in (400, 422):
        return
    text = words_of(response)
    named = re.search(r"^(messages|documents|tools|continue_final_message)\b|`[^`]+`|'[^']*'|path \"[^\"]*\"", text) or (json_of(response) or {}).get("param")
    assert named or any(w.search(text) for w in WHOLE), f"a refusal that names no field: {text}"


def json_of(response):
    try:
        error = json.loads(response.text)["error"]
    except (ValueError, KeyError, TypeError):
        return None
    return error if isinstance(error, dict) else None
