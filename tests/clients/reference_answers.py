"""What transformers and peft answered to the prompts of the golden files (tools/golden_models.py made them)."""
import dataclasses
import json

from server_process import ROOT

TINY_MODEL = ROOT / "tests/golden/models/llama-tied-gqa"
TINY_ADAPTERS = ROOT / "tests/golden/adapters/llama-tied-gqa"
DEMO_MODEL = ROOT / "models/SmolLM2-135M-Instruct.Q4_1.gguf"
DEMO_ADAPTERS = ROOT / "examples/adapters"


@dataclasses.dataclass(frozen=True)
class reference_answer:
    """Greedy, in float32. `adapter` is empty for the base, `prompt` is None where only ids were asked."""

    adapter: str
    prompt: str | None
    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    text: str
    finish: str  # length or eos_token, as native routes say

    @property
    def most_tokens(self) -> int:
        """`max_new_tokens` with which it ends so; one more than it has, where an end token must end it."""
        return len(self.token_ids) + (0 if self.finish == "length" else 1)

    @property
    def openai_finish(self) -> str:
        return "length" if self.finish == "length" else "stop"


def read(path) -> list[reference_answer]:
    return [reference_answer(c["adapter"] or "", c.get("prompt"), tuple(c["prompt_ids"]), tuple(c["token_ids"]),
                             tuple(c["logprobs"]), c["text"], c["finish"]) for c in json.loads(path.read_text())]


TINY = read(TINY_MODEL / "golden.json")
TINY_TEXTS = [a for a in TINY if a.prompt]
DEMO = read(ROOT / "tests/golden/default_model.json")


def tiny_of(adapter: str) -> list[reference_answer]:
    """Answers of the base ("") or an adapter to prompts that are texts."""
    return [a for a in TINY_TEXTS if a.adapter == adapter]


def demo_of(adapter: str) -> list[reference_answer]:
    return [a for a in DEMO if a.adapter == adapter]
