#!/usr/bin/env python3
"""Trains a LoRA adapter on the default model with PEFT, and measures it.

The data folder holds train.jsonl and held_out.jsonl, one {"prompt": ..., "completion": ...} per line, and optionally task.md, which
opens the card. The loss is on the completion and the end-of-sequence token only. The output folder holds what PEFT writes
(adapter_config.json, adapter_model.safetensors in bfloat16), a card and eval.json; it can be served as it is.

    tools/train_adapter.py --data data/text-to-sql --out examples/adapters/text-to-sql --rank 8 --alpha 16 --targets q,v
"""

import argparse
import json
import math
import os
import random
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

SITES = {name: f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")}
BASE_NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", default="models/SmolLM2-135M-Instruct.Q4_1.gguf", help="GGUF file of the base (default: %(default)s)"
    )
    parser.add_argument("--base-name", default=BASE_NAME, help="name of the base in adapter_config.json (default: %(default)s)")
    parser.add_argument("--data", required=True, type=Path, help="folder with train.jsonl and held_out.jsonl")
    parser.add_argument("--out", required=True, type=Path, help="adapter folder to write; replaced if it exists")
    parser.add_argument("--rank", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--alpha", type=float, help="lora_alpha (default: twice the rank)")
    parser.add_argument("--targets", default="q,v", help=f"comma-separated, of {','.join(SITES)} (default: %(default)s)")
    parser.add_argument("--layers", help="first-last, such as 8-29 (default: all layers)")
    parser.add_argument("--rslora", action="store_true", help="scale by alpha/sqrt(rank) instead of alpha/rank")
    parser.add_argument("--steps", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=8, help="examples per step (default: %(default)s)")
    parser.add_argument("--lr", type=float, default=2e-3, help="peak learning rate (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: %(default)s)")
    args = parser.parse_args()

    if args.alpha is None:
        args.alpha = 2.0 * args.rank
    args.targets = args.targets.split(",")
    for target in args.targets:
        if target not in SITES:
            parser.error(f"--targets: {target!r} is unknown; choose from {', '.join(SITES)}")
    for name in ("rank", "steps", "batch", "threads"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} must be at least 1")
    if not Path(args.model).is_file():
        parser.error(f"--model: there is no {args.model}; run tools/fetch_model, or name another GGUF file")
    if args.out.exists() and any(args.out.iterdir()) and not (args.out / "adapter_config.json").exists():
        parser.error(f"--out: {args.out} holds something that is not an adapter; choose another folder")
    return args


def read_examples(path):
    """Returns [(prompt, completion)], or exits naming the line that is wrong."""
    if not path.is_file():
        sys.exit(f"there is no {path}")
    examples = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
            prompt, completion = entry["prompt"], entry["completion"]
        except (ValueError, KeyError, TypeError) as error:
            sys.exit(f'{path}:{number}: expected {{"prompt": "...", "completion": "..."}} ({error!r})')
        if not (isinstance(prompt, str) and isinstance(completion, str) and prompt and completion):
            sys.exit(f"{path}:{number}: prompt and completion must be texts that are not empty")
        examples.append((prompt, completion))
    return examples or sys.exit(f"{path} is empty")


def attach(model, args):
    """Returns the model with fresh LoRA weights; only these are trainable."""
    layers = None
    if args.layers:
        try:
            first, last = (int(number) for number in args.layers.split("-"))
        except ValueError:
            sys.exit(f"--layers: {args.layers!r} is not of the form first-last, such as 8-29")
        if not 0 <= first <= last < model.config.num_hidden_layers:
            sys.exit(f"--layers: {args.layers} is not within 0-{model.config.num_hidden_layers - 1}")
        layers = list(range(first, last + 1))
    model.name_or_path = model.config._name_or_path = args.base_name
    config = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=args.rank,
        lora_alpha=int(args.alpha) if args.alpha.is_integer() else args.alpha,
        use_rslora=args.rslora,
        target_modules=[SITES[target] for target in args.targets],
        layers_to_transform=layers,
    )
    return peft.get_peft_model(model, config)


def batches(examples, tokenizer, eos, args):
    """Yields (ids, attention mask, completion mask), each [batch, longest], for args.steps steps; epochs are shuffled by the seed."""
    encoded = [(tokenizer.encode(prompt).ids, tokenizer.encode(completion).ids + [eos]) for prompt, completion in examples]
    order, queue = random.Random(args.seed), []
    for _ in range(args.steps):
        while len(queue) < args.batch:
            epoch = list(range(len(encoded)))
            order.shuffle(epoch)
            queue += epoch
        chosen, queue = [encoded[i] for i in queue[: args.batch]], queue[args.batch :]
        longest = max(len(prompt) + len(completion) for prompt, completion in chosen)
        ids = torch.full((len(chosen), longest), eos)
        attention = torch.zeros_like(ids)
        completion_mask = torch.zeros_like(ids, dtype=torch.bool)
        for row, (prompt, completion) in enumerate(chosen):
            end = len(prompt) + len(completion)
            ids[row, :end] = torch.tensor(prompt + completion)
            attention[row, :end] = 1
            completion_mask[row, len(prompt) : end] = True
        yield ids, attention, completion_mask


def train(model, examples, tokenizer, eos, args):
    """AdamW with a short warm-up and a cosine to zero. Returns the mean loss of the last twenty steps."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=args.lr, weight_decay=0.0)
    warm_up = max(1, args.steps // 20)
    llama = model.get_base_model()
    losses = []
    model.train()
    for step, (ids, attention, completion) in enumerate(batches(examples, tokenizer, eos, args)):
        progress = max(0, step - warm_up) / max(1, args.steps - warm_up)
        optimiser.param_groups[0]["lr"] = args.lr * min(1.0, (step + 1) / warm_up) * (1 + math.cos(math.pi * progress)) / 2
        # The head is a quarter of the work; it runs only where a completion token is predicted.
        hidden = llama.model(ids, attention_mask=attention, use_cache=False).last_hidden_state[:, :-1]
        logits = llama.lm_head(hidden[completion[:, 1:]])
        loss = torch.nn.functional.cross_entropy(logits, ids[completion])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
        if step % 20 == 19 or step + 1 == args.steps:
            recent = losses[-20:]
            print(f"step {step + 1:4d}/{args.steps}  loss {sum(recent) / len(recent):.4f}", flush=True)
    model.eval()
    return sum(losses[-20:]) / len(losses[-20:])


def complete(model, tokenizer, eos, examples, batch=25):
    """Greedy completions of the prompts. Returns [(text, ended with the end-of-sequence token)]."""
    limit = max(len(tokenizer.encode(completion).ids) for _, completion in examples) + 8
    outputs = []
    for start in range(0, len(examples), batch):
        prompts = [tokenizer.encode(prompt).ids for prompt, _ in examples[start : start + batch]]
        longest = max(map(len, prompts))
        ids = torch.tensor([[eos] * (longest - len(prompt)) + prompt for prompt in prompts])
        attention = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        with torch.inference_mode():
            generated = model.generate(input_ids=ids, attention_mask=attention, max_new_tokens=limit, do_sample=False)
        for row in generated[:, longest:].tolist():
            ended = eos in row
            outputs.append((tokenizer.decode(row[: row.index(eos)] if ended else row), ended))
    return outputs


def exact_matches(outputs, examples, first_line_only):
    """Share of outputs equal to their completion, spaces at the ends aside. Without `first_line_only` the output must also have ended."""
    hits = 0
    for (text, ended), (_, completion) in zip(outputs, examples):
        answer = text.strip().split("\n")[0].rstrip() if first_line_only else text.strip()
        hits += answer == completion.strip() and (ended or first_line_only)
    return hits / len(examples)


def save(model, folder):
    """Writes PEFT's two files with the weights in bfloat16, and leaves the model with these rounded weights in float32."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.data = parameter.data.bfloat16()
    model.save_pretrained(folder, save_embedding_layers=False)
    config_file = folder / "adapter_config.json"
    config = json.loads(config_file.read_text(encoding="utf-8"))
    config["target_modules"].sort()  # a set in PEFT, written in an order that differs from run to run
    config_file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for file in folder.iterdir():
        file.chmod(0o644)
    for parameter in parameters:
        parameter.data = parameter.data.float()


def card(task, evaluation, examples, outputs):
    """Returns the adapter's README.md: what it does, how to ask it, how it was made, how good it is."""
    e, score = evaluation, evaluation["held_out_exact_match"]
    layers = f", layers {e['layers']}" if e["layers"] else ""
    rslora = " (rsLoRA: scaled by alpha/sqrt(rank))" if e["rslora"] else ""
    pairs = [(prompt, text.strip()) for (prompt, _), (text, _) in zip(examples[:3], outputs)]
    shown = "\n".join(f"```text\n{prompt}\n```\n\n```text\n{text}\n```\n" for prompt, text in pairs)
    return f"""---
base_model: {e["base_model"]}
library_name: peft
license: apache-2.0
---

{task.strip()}

## Score

Exact match on {e["held_out_examples"]} held-out examples, greedy: **{score["adapter"]:.0%}** with the adapter, {score["base"]:.0%} for the base.
An answer of the adapter must be the expected one and end there; for the base an expected first line is enough.

## Recipe

`tools/train_adapter.py`: rank {e["rank"]}, alpha {e["alpha"]:g}{rslora}, targets {", ".join(e["targets"])}{layers}, bfloat16;
{e["steps"]} steps of {e["batch"]} out of {e["train_examples"]} examples, peak learning rate {e["learning_rate"]}, seed {e["seed"]}.

## Prompts and outputs

Held-out prompts, each followed by what the adapter wrote:

{shown}
Licence: Apache-2.0, as the base model.
"""


def load_libraries():
    """Late, so that --help and wrong arguments are answered at once and without them."""
    global gguf_reference, peft, torch
    # Threads that wait must sleep: on a machine with other work, spinning ones take four times the CPU time of the training itself.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import gguf_reference
        import peft
        import torch
        import transformers
    except ImportError as error:
        sys.exit(f"{error}; install what the recipe needs: pip install -r tools/requirements-train.txt")
    transformers.logging.set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning)


def main():
    args = arguments()
    training, held_out = (read_examples(args.data / name) for name in ("train.jsonl", "held_out.jsonl"))
    task_file = args.data / "task.md"
    task = task_file.read_text(encoding="utf-8") if task_file.is_file() else f"# {args.out.name}\n"
    overlap = {prompt for prompt, _ in training} & {prompt for prompt, _ in held_out}
    if overlap:
        sys.exit(f"{len(overlap)} prompts are both in train.jsonl and in held_out.jsonl, such as {min(overlap)!r}")

    load_libraries()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    model, tokenizer = gguf_reference.load(args.model)
    eos = model.config.eos_token_id
    print(f"the base answers {len(held_out)} held-out prompts", flush=True)
    base_score = exact_matches(complete(model, tokenizer, eos, held_out), held_out, first_line_only=True)

    model = attach(model, args)
    loss = train(model, training, tokenizer, eos, args)

    # Everything is written beside the target and renamed, so a stopped run leaves no half adapter.
    args.out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{args.out.name}.", dir=args.out.parent))
    try:
        save(model, scratch)
        outputs = complete(model, tokenizer, eos, held_out)
        evaluation = {
            "base_model": args.base_name,
            "rank": args.rank,
            "alpha": args.alpha,
            "rslora": args.rslora,
            "targets": [SITES[target] for target in args.targets],
            "layers": args.layers,
            "steps": args.steps,
            "batch": args.batch,
            "learning_rate": args.lr,
            "seed": args.seed,
            "train_examples": len(training),
            "train_loss": round(loss, 4),
            "held_out_examples": len(held_out),
            "held_out_exact_match": {"base": base_score, "adapter": exact_matches(outputs, held_out, first_line_only=False)},
            "adapter_bytes": (scratch / "adapter_model.safetensors").stat().st_size,
        }
        (scratch / "eval.json").write_text(json.dumps(evaluation, indent=2) + "\n", encoding="utf-8")
        (scratch / "README.md").write_text(card(task, evaluation, held_out, outputs), encoding="utf-8")
        scratch.chmod(0o755)
        if args.out.exists():
            shutil.rmtree(args.out)
        scratch.rename(args.out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(json.dumps(evaluation, indent=2))
    for (prompt, completion), (text, ended) in zip(held_out, outputs):
        if not ended or text.strip() != completion.strip():
            print(f"missed: {prompt!r}\n  wanted {completion!r}\n  got    {text!r}")


if __name__ == "__main__":
    main()
