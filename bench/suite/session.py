"""What every program of the suite has: flags, the rule about noise, runs in turns, one result file.

An arm is one of the things that are compared. Arms run in turns, and a run during which others used more than --foreign of the
machine (or the host took more than --steal) is rejected and repeated, at most --tries times; where an arm has no quiet run its figures
are those of the noisy ones, and `accepted` 0 says so.
"""

import argparse
import datetime
import json
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench/peers"))

import machine  # noqa: E402
import peer_process  # noqa: E402


class Missing(RuntimeError):
    """An arm cannot be measured here; the text says why and what would help."""


def parser(doc, output, rounds=5):
    out = argparse.ArgumentParser(description=doc.splitlines()[0])
    out.add_argument("--model", default="models/SmolLM2-135M-Instruct.Q4_1.gguf")
    out.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/release/bin"), help="where the programs are")
    out.add_argument("--threads", type=int, default=2)
    out.add_argument("--rounds", type=int, default=rounds, help="of all arms in turns")
    out.add_argument("--tries", type=int, default=3, help="runs of an arm in a round, until one is quiet")
    out.add_argument("--foreign", type=float, default=0.02, help="largest share of the machine that others may use")
    out.add_argument("--steal", type=float, default=0.01, help="largest share that the host may take")
    out.add_argument("--limit-minutes", type=float, default=60, help="after them no further run begins")
    out.add_argument("--output", type=pathlib.Path, default=pathlib.Path("bench/results") / f"{output}.json")
    return out


def read(arguments, programs):
    """The flags' values with the deadline; ends with a message when a program or the model is not there."""
    options = arguments.parse_args()
    if min(options.rounds, options.tries, options.threads) < 1 or options.limit_minutes <= 0:
        arguments.error("--rounds, --tries and --threads are at least 1, --limit-minutes is above 0")
    if not pathlib.Path(options.model).exists():
        arguments.error(f"--model: {options.model} is not there; tools/fetch_model gets it")
    for name in programs:
        if not (options.bin / name).exists():
            arguments.error(f"{options.bin / name} is not there; build it: tools/build release {name}")
    if not options.output.parent.is_dir():
        arguments.error(f"--output: there is no folder {options.output.parent}")
    options.deadline = time.monotonic() + 60 * options.limit_minutes
    return options


def is_quiet(options, told):
    return told[0] <= options.foreign and told[1] <= options.steal


def repeated(options, run):
    """Runs of one arm, {"figures", "foreign", "steal", "accepted"} each, until a quiet one or --tries; at least one."""
    out = []
    for _ in range(options.tries):
        watch = machine.Watch()
        figures = run()
        told = watch.told()
        out.append({"figures": figures, "foreign": round(told[0], 4), "steal": round(told[1], 4), "accepted": is_quiet(options, told)})
        if out[-1]["accepted"] or time.monotonic() > options.deadline:
            break
    return out


def in_turns(options, arms):
    """({arm: runs}, {arm: why it is missing}) of {arm: function that gives {figure: number}}. What was measured until an interruption
    or --limit-minutes is kept."""
    runs, missing = {}, {}
    try:
        for turn in range(options.rounds):
            for name, arm in arms.items():
                if name in missing or time.monotonic() > options.deadline:
                    continue
                try:
                    runs.setdefault(name, []).extend(repeated(options, arm))
                except (RuntimeError, OSError, subprocess.SubprocessError, peer_process.Lost) as why:
                    missing[name] = str(why)[:400]
                    print(f"{name}: {why}", file=sys.stderr)
            print(f"round {turn + 1} of {options.rounds}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; what was measured is written", file=sys.stderr)
    for name in arms:
        if not runs.get(name):
            missing.setdefault(name, "no time was left")
    return {name: some for name, some in runs.items() if some}, missing


def counted(runs):
    """The quiet runs, or all where there is none."""
    return [r for r in runs if r["accepted"]] or runs


def summary(runs):
    """Medians of the runs that count, and how many there were."""
    good = [r["figures"] for r in counted(runs)]
    keys = [k for k in good[0] if all(isinstance(g.get(k), (int, float)) for g in good)]
    return {"accepted": sum(r["accepted"] for r in runs), "rejected": sum(not r["accepted"] for r in runs),
            "foreign": statistics.median(r["foreign"] for r in counted(runs)),
            "figures": {k: statistics.median(g[k] for g in good) for k in keys}}


def measure_and_write(options, kind, arms, derive, more=dict):
    """Runs the arms in turns and writes the result; the exit code of the program. `derive` makes findings of {arm: summary} and of what
    `more` gives, which is called behind the runs and stands in the result too."""
    runs, missing = in_turns(options, arms)
    further = more()
    write(options, kind, runs, missing, derive({name: summary(some) for name, some in runs.items()}, **further), **further)
    return not runs


def write(options, kind, runs, missing, findings, **more):
    """The result file; `findings` as `finding` makes them."""
    report = {
        "kind": kind, "date": datetime.date.today().isoformat(), "machine": machine.about(),
        "command": " ".join(["python3", f"bench/suite/{pathlib.Path(sys.argv[0]).name}", *sys.argv[1:]]), "threads": options.threads,
        "noise_rule": {"foreign": options.foreign, "steal": options.steal, "tries": options.tries},
        "arms": {name: summary(some) | {"runs": some} for name, some in runs.items()}, "missing": missing, "findings": findings, **more}
    options.output.write_text(json.dumps(report, indent=1) + "\n")
    for one in findings:
        asked = "" if one["met"] is None else f", asked {one['wanted'][0]} {one['wanted'][1]:.4g}: {'yes' if one['met'] else 'no'}"
        print(f"{one['case']:5} {one['what']}: {one['value']:.4g} {one['unit']}{asked}")
    for name, why in missing.items():
        print(f"missing: {name}: {why}")
