"""The benches' scripts: which runs count, and what the page of results says. `python3 tests/bench/scripts_test.py`"""

import contextlib
import io
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import types
import unittest
import xml.dom.minidom

ROOT = pathlib.Path(__file__).parent.parent.parent
BUILD = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release").resolve()
sys.path[:0] = [str(ROOT / "bench/peers"), str(ROOT / "bench/report"), str(ROOT / "bench/suite")]

import adapter_files  # noqa: E402
import cold  # noqa: E402
import many  # noqa: E402
import compare  # noqa: E402
import findings  # noqa: E402
import gguf_shape  # noqa: E402
import gpu_compare  # noqa: E402
import gpu_shape  # noqa: E402
import instructions  # noqa: E402
import lorica_server  # noqa: E402
import machine  # noqa: E402
import memory  # noqa: E402
import neighbour  # noqa: E402
import prefix  # noqa: E402
import report  # noqa: E402
import results  # noqa: E402
import served  # noqa: E402
import session  # noqa: E402
import starvation  # noqa: E402
import steps  # noqa: E402
import svg  # noqa: E402
import tables  # noqa: E402


def options(**more):
    return types.SimpleNamespace(foreign=0.02, steal=0.01, tries=3, deadline=float("inf"), **more)


class Noise(unittest.TestCase):
    def test_only_quiet_runs_make_best_and_median(self):
        figures = compare.Figures(options())
        for rate, foreign, steal in ((100, 0.0, 0.0), (300, 0.5, 0.0), (110, 0.02, 0.01), (400, 0.0, 0.02), (105, 0.01, 0.0)):
            figures.note("x", "decode 1", rate, (foreign, steal))
        self.assertEqual(figures.report()["x"]["decode 1"], {"accepted": 3, "rejected": 2, "best": 110, "median": 105})

    def test_without_a_quiet_run_the_least_noisy_is_told_as_noisy(self):
        figures = compare.Figures(options())
        figures.note("x", "decode 1", 50, (0.9, 0.0))
        figures.note("x", "decode 1", 80, (0.3, 0.0))
        told = figures.report()["x"]["decode 1"]
        self.assertEqual((told["noisy"], told["foreign"], told["accepted"]), (80, 0.3, 0))
        self.assertNotIn("median", told)

    def test_a_noisy_run_is_repeated_and_only_so_often(self):
        told = iter([(0.5, 0), (0.0, 0), (0.5, 0), (0.5, 0), (0.5, 0), (0.5, 0)])
        watch = machine.Watch
        machine.Watch = lambda: types.SimpleNamespace(told=lambda: next(told))
        try:
            figures, runs = compare.Figures(options()), []
            compare.repeated(options(), figures, lambda: "x", lambda: runs.append(1) or {"w": 1})
            self.assertEqual(len(runs), 2)
            compare.repeated(options(), figures, lambda: "x", lambda: runs.append(1) or {"w": 1})
            self.assertEqual(len(runs), 5)
        finally:
            machine.Watch = watch

    def test_work_of_children_is_not_foreign(self):
        watch = machine.Watch()
        before = machine._tree_seconds(machine.os.getpid())
        subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"], check=True)
        self.assertGreaterEqual(machine._tree_seconds(machine.os.getpid()) - before, 0.25)
        foreign, steal = watch.told()
        self.assertTrue(0 <= foreign <= 1 and 0 <= steal <= 1)

    def test_served_figures_are_medians_of_accepted_runs(self):
        run = dict.fromkeys(served.KEPT, 1.0)
        told = served.summary([run | {"output_throughput": n, "accepted": good} for n, good in ((10, True), (90, False), (30, True), (20, True))])
        self.assertEqual((told["output_throughput"], told["accepted"], told["rejected"]), (20, 3, 1))


PEERS = {"kind": "peers", "date": "2026-01-02", "machine": "m", "command": "c", "missing": {"vllm:bfloat16": "not set up"},
         "cannot": [{"engine": "b", "work": "w", "why": "no call"}],
         "tokens_per_second": {"lorica, x": {"w": {"best": 20.0, "median": 10.0}}, "b": {"w": {"noisy": 5.0, "foreign": 0.4}}}}


class Page(unittest.TestCase):
    def test_a_table_names_noise_what_is_missing_and_the_command(self):
        text = tables.peers("f.json", PEERS)
        for part in ("| w | 10.0 (best 20.0) | (5, others 40 %) |", "`c`, 2026-01-02, m", "vllm:bfloat16: not set up", "b, w: no call"):
            self.assertIn(part, text)

    def test_the_newest_result_of_a_kind_is_taken(self):
        old = PEERS | {"date": "2025-01-01"}
        self.assertEqual(results.latest([("a", "peers", old), ("b", "peers", PEERS), ("c", "other", {})], "peers"), ("b", PEERS))
        self.assertIsNone(results.latest([], "served"))

    def test_parts_are_replaced_and_what_stands_around_stays(self):
        page = "mine\n<!-- generated: a -->\nold\n<!-- end -->\nmine too\n"
        self.assertEqual(report.filled(page, {"a": "new"}), "mine\n<!-- generated: a -->\nnew\n<!-- end -->\nmine too\n")
        with self.assertRaises(SystemExit):
            report.filled(page, {"a": "new", "b": "lost"})

    def test_a_plot_is_well_formed_and_its_bars_are_to_scale(self):
        plot = xml.dom.minidom.parseString(svg.bars("a < b", [("g", [("one & two", 50.0, True), ("x", 200.0, False)])], "tok/s"))
        widths = [float(r.getAttribute("width")) for r in plot.getElementsByTagName("rect")]
        self.assertEqual(widths, [svg.WIDTH / 4, svg.WIDTH])

    def test_the_page_is_what_the_results_say(self):
        subprocess.run([sys.executable, ROOT / "bench/report/report.py", "--check"], check=True)


def arm(accepted=1, foreign=0.0, **figures):
    return {"accepted": accepted, "rejected": 0, "foreign": foreign, "figures": figures}


def one_run(accepted=True, foreign=0.0, **figures):
    return {"figures": figures, "foreign": foreign, "steal": 0.0, "accepted": accepted}


class Figures(unittest.TestCase):
    """What the suite says of what it measured."""

    def found(self, all_findings, part):
        one = [f for f in all_findings if part in f["what"]]
        self.assertEqual(len(one), 1, part)
        return one[0]

    def test_jain_is_one_of_equals_and_one_over_n_of_one_who_has_all(self):
        self.assertEqual(findings.jain([5, 5, 5]), 1)
        self.assertEqual(findings.jain([9, 0, 0]), 1 / 3)
        self.assertEqual(findings.jain([3, 1]), 16 / 20)
        self.assertEqual(findings.jain([0, 0]), 1)

    def test_quantiles_lie_between_the_nearest_ranks(self):
        self.assertEqual([findings.quantile([4, 1, 3, 2], q) for q in (0, 0.5, 1)], [1, 2.5, 4])
        self.assertEqual(findings.quantile([], 0.99), 0)

    def test_a_finding_is_met_on_its_own_side_of_the_bound(self):
        self.assertTrue(findings.finding("C-1", "w", 0.6, "share", (">=", 0.6))["met"])
        self.assertFalse(findings.finding("C-1", "w", 0.59, "share", (">=", 0.6))["met"])
        self.assertFalse(findings.finding("C-1", "w", 11, "times", ("<=", 10))["met"])
        self.assertIsNone(findings.finding("C-1", "w", 11, "times")["met"])

    def test_noise_is_told_only_of_arms_without_a_quiet_run(self):
        self.assertEqual(findings.noise_of(arm(1, 0.02), arm(0, 0.3), arm(0, 0.1)), 0.3)
        self.assertEqual(findings.noise_of(arm(2, 0.02)), 0)

    def test_only_quiet_runs_make_the_medians_where_there_is_one(self):
        some = [one_run(x=1.0), one_run(False, 0.4, x=9.0), one_run(x=3.0, y=1.0)]
        told = session.summary(some)
        self.assertEqual((told["figures"], told["accepted"], told["rejected"]), ({"x": 2.0}, 2, 1))
        self.assertEqual(session.summary(some[1:2])["figures"], {"x": 9.0})

    def test_an_arm_that_cannot_be_measured_is_named_and_the_others_go_on(self):
        how = options(rounds=2)
        how.foreign = how.steal = 1.0

        def refuses():
            raise session.Missing("no such thing")

        with contextlib.redirect_stderr(io.StringIO()):
            runs, missing = session.in_turns(how, {"bad": refuses, "good": lambda: {"x": 1}})
        self.assertEqual((list(runs), len(runs["good"]), missing), (["good"], 2, {"bad": "no such thing"}))

    def test_after_the_limit_no_run_begins_and_what_has_none_says_so(self):
        how = options(rounds=2)
        how.deadline = 0
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(session.in_turns(how, {"a": lambda: {"x": 1}}), ({}, {"a": "no time was left"}))

    def test_the_neighbour_takes_the_longest_step_of_all_rounds(self):
        name = "decode 1 longest over median"
        both = {"decode 1 tok/s": 100.0, "decode 8 tok/s": 800.0, name: 2.0, "decode 8 longest over median": 2.0}
        arms = {"lorica alone": arm(**both), "lorica beside": arm(**both | {"decode 1 tok/s": 70.0})}
        runs = {"lorica beside": [one_run(**both), one_run(**both | {name: 12.0}), one_run(False, **both | {name: 99.0})]}
        told = neighbour.derive(arms, runs)
        self.assertEqual(self.found(told, "decode 1 beside a busy process on one core: kept")["value"], 0.7)
        longest = self.found(told, "decode 1 beside a busy process on one core: longest")
        self.assertEqual((longest["value"], longest["met"]), (12.0, False))

    def test_memory_of_an_adapter_is_what_it_adds_over_its_file(self):
        arms = {"0 int8": arm(**{"resident": 100.0, "resident at once": 120.0, "weight bytes": 80.0}), "10 int8": arm(resident=150.0)}
        told = memory.derive(arms, [0, 10], ["int8"], 10)
        self.assertEqual(self.found(told, "over its file")["value"], 0.5)
        self.assertEqual(self.found(told, "then over the packed weights")["value"], 1.5)
        self.assertEqual(self.found(told, "at rest over the packed weights")["value"], 1.25)

    def test_the_small_client_may_wait_twice_as_long_and_a_step(self):
        arms = {"idle": arm(**{"first token p99 ms": 30.0}), "saturated": arm(**{"first token p99 ms": 75.0, "mean step ms": 10.0})}
        told = self.found(starvation.derive(arms), "beside a client")
        self.assertEqual((told["wanted"], told["met"]), (["<=", 70.0], False))

    def test_the_gap_of_counters_stays_within_its_bound(self):
        for gap, met in ((1.5, True), (2.5, False)):
            arms = {"two clients": arm(**{"jain": 1.0, "widest gap s": gap, "gap bound s": 2.0})}
            told = self.found(starvation.derive(arms), "widest gap")
            self.assertEqual((told["value"], told["wanted"], told["met"]), (gap, ["<=", 2.0], met))

    def test_service_is_prompt_tokens_and_twice_the_generated(self):
        told = {'lorica_prompt_tokens_total{adapter="0"}': 10.0, 'lorica_generated_tokens_total{adapter="0"}': 7.0}
        self.assertEqual((starvation.served(told, "0"), starvation.served(told, "1")), (24.0, 0.0))

    def test_a_hit_across_adapters_counts_in_a_noisy_run_too(self):
        figures = {"first token without ms": 600.0, "first token with ms": 20.0, "prefill skipped": 0.96, "share of hits": 1.0,
                   "tokens found across adapters": 0.0}
        runs = {"prefix": [one_run(**figures), one_run(False, **figures | {"tokens found across adapters": 512.0})]}
        told = prefix.derive({"prefix": arm(**figures)}, runs)
        self.assertFalse(self.found(told, "another adapter")["met"])
        self.assertEqual(self.found(told, "first over the second")["value"], 30)

    def test_many_adapters_are_told_beside_few_in_memory_and_not(self):
        options = types.SimpleNamespace(few=32, many=1000)
        arms = {"32 in memory": arm(**{"tokens per second": 400.0}), "1000 in memory": arm(**{"tokens per second": 396.0}),
                "1000 on the disk": arm(**{"tokens per second": 350.0})}
        told = {f["what"]: f for f in many.derive(options, arms)}
        self.assertEqual(told["over 1000 adapters in memory, over 32 of them"]["met"], True)
        self.assertAlmostEqual(told["over 1000 adapters that a request loads, over 32 of them"]["value"], 0.875)
        self.assertEqual(told["over 1000 adapters that a request loads, over 32 of them"]["met"], False)
        self.assertEqual(many.derive(options, {"1000 in memory": arms["1000 in memory"]}), [])

    def test_cold_is_told_beside_warm_and_loads_beside_none(self):
        arms = {"cold and warm": arm(**{"warm p50 ms": 10.0, "cold p50 ms": 30.0, "share that was cold": 1.0}),
                "hits gdsf": arm(**{"hit rate": 0.4}), "hits lru": arm(**{"hit rate": 0.5}),
                "streams beside resident": arm(**{"between tokens p99 ms": 20.0}), "streams beside cold": arm(**{"between tokens p99 ms": 21.0})}
        told = cold.derive(arms, {"results": [{"trace": "t", "policy": "lfu", "hit_rate": 0.3}]})
        self.assertEqual(self.found(told, "longer")["value"], 20)
        self.assertFalse(self.found(told, "GDSF")["met"])
        self.assertEqual(self.found(told, "p99 over that")["value"], 1.05)
        self.assertEqual(self.found(told, "replayed, t, LFU")["value"], 0.3)

    def test_steps_know_the_names_of_the_workloads(self):
        program = BUILD / "bin/lorica-bench-decode"
        if not program.exists():
            self.skipTest("lorica-bench-decode is not built")
        names = subprocess.run([program, "--suite", "all", "--list"], capture_output=True, text=True, check=True).stdout.splitlines()
        needed = [steps.sweep_name(n) for n in steps.COUNTS] + list(instructions.WORKS.values()) + [w.name for w in neighbour.WORKS]
        needed += ["decode 32", "prefill 8 x 64", "prefill 8 x 64, 8 adapters"]
        needed += [f"decode {s}, 1 adapter of rank {r}" for s in (1, 8) for r in (8, 64)]
        self.assertEqual([n for n in needed if n not in names], [])

    def test_steps_tell_the_largest_loss_of_a_doubling(self):
        rates = dict(zip(steps.COUNTS, (1000.0, 900.0, 450.0, 440.0, 430.0, 420.0)))
        figures = {f"{steps.sweep_name(n)} tok/s": rate for n, rate in rates.items()}
        told = steps.derive({"adapters": arm(**figures | {"decode 32 tok/s": 1100.0, "slope ratio": 1.2})})
        self.assertEqual(self.found(told, "largest loss")["value"], 0.5)
        self.assertTrue(self.found(told, "a byte of adapters")["met"])

    def test_metrics_are_read_with_their_labels(self):
        told = lorica_server.parse_metrics('# HELP a b\na 1\nlorica_x_total{adapter="k"} 2.5e+03\n')
        self.assertEqual(told, {"a": 1.0, 'lorica_x_total{adapter="k"}': 2500.0})


class AdapterFiles(unittest.TestCase):
    SHAPE = {"layers": 2, "hidden": 8, "q": 8, "kv": 4, "ffn": 16}

    def test_adapters_are_whole_distinct_and_the_same_when_made_again(self):
        with tempfile.TemporaryDirectory() as folder:
            contents = []
            for name, seed in (("a", 1), ("b", 2), ("c", 1)):
                adapter_files.make(pathlib.Path(folder, name), self.SHAPE, 4, seed)
                contents.append(pathlib.Path(folder, name, "adapter_model.safetensors").read_bytes())
            self.assertEqual(contents[0], contents[2])
            self.assertNotEqual(contents[0], contents[1])
            length = struct.unpack("<Q", contents[0][:8])[0]
            head = json.loads(contents[0][8:8 + length])
            self.assertEqual(len(head), 2 * 7 * 2)
            self.assertEqual(max(t["data_offsets"][1] for t in head.values()), len(contents[0]) - 8 - length)
            self.assertEqual(head["base_model.model.model.layers.1.mlp.down_proj.lora_A.weight"]["shape"], [4, 16])

    def test_numbers_have_both_signs_and_one_order_of_magnitude(self):
        raw = adapter_files.numbers(adapter_files.random.Random(3), 1000, adapter_files.A_EXPONENT)
        values = [struct.unpack("<f", b"\0\0" + raw[i:i + 2])[0] for i in range(0, len(raw), 2)]
        self.assertTrue(all(2 ** -7 <= abs(v) < 2 ** -5 for v in values))
        self.assertTrue(400 < sum(v > 0 for v in values) < 600)

    def test_the_shape_is_read_past_arrays(self):
        def text(word):
            return struct.pack("<Q", len(word)) + word.encode()

        def whole(key, value):
            return text(key) + struct.pack("<II", 4, value)

        pairs = [text("general.architecture") + struct.pack("<I", 8) + text("llama"),
                 text("tokenizer.list") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc"),
                 text("tokenizer.scores") + struct.pack("<IIQ3f", 9, 6, 3, 1, 2, 3)]
        pairs += [whole(f"llama.{k}", v) for k, v in (("block_count", 2), ("embedding_length", 64), ("feed_forward_length", 128),
                                                      ("attention.head_count", 4), ("attention.head_count_kv", 2))]
        with tempfile.NamedTemporaryFile() as file:
            file.write(struct.pack("<4sIQQ", b"GGUF", 3, 0, len(pairs)) + b"".join(pairs))
            file.flush()
            self.assertEqual(gguf_shape.shape(file.name), {"layers": 2, "hidden": 64, "q": 64, "kv": 32, "ffn": 128})
            file.seek(0)
            file.write(b"GGML")
            file.flush()
            with self.assertRaises(gguf_shape.NotGguf):
                gguf_shape.shape(file.name)


class SuitePage(unittest.TestCase):
    def test_the_newest_of_each_program_stands_in_order_of_the_cases(self):
        def content(kind, date, **more):
            return {"kind": kind, "date": date, "machine": "m", "command": "c", "missing": more, "findings": [
                findings.finding("C-13" if kind == "neighbour" else "C-9", f"{kind} {date}", 0.5, "share", (">=", 0.6), 0.25)]}

        some = [("a", "suite", content("neighbour", "2026-01-01")), ("b", "suite", content("neighbour", "2026-01-02", llama="not set up")),
                ("c", "suite", content("starvation", "2026-01-02")), ("d", "peers", PEERS)]
        text = tables.suite(results.latest_of_each(some))
        self.assertLess(text.index("| C-9 | starvation"), text.index("| C-13 | neighbour 2026-01-02 | 50.0 % (others 25 %) | at least 60.0 % | no |"))
        self.assertNotIn("neighbour 2026-01-01", text)
        self.assertIn("Not measured: llama: not set up.", text)
        self.assertEqual(results.kind_of(some[0][2]), "suite")


class GpuPeers(unittest.TestCase):
    OURS = {"program": "gpu_bench", "card": {"name": "c"}, "shape": {"name": "s"}, "rows": [
        {"case": "G-3", "name": "r16, 8 adapters", "rank": 16, "median_ms": 4.3, "base_ms": 4.0, "over_base_percent": 7.5},
        {"case": "G-3", "name": "r64, 8 adapters", "rank": 64, "median_ms": 9.0, "base_ms": 4.0, "over_base_percent": 125.0},
        {"case": "G-6", "name": "o, 1 rows", "median_ms": 0.010, "pair_us": 10.0, "cublaslt_us": 9.0},
        {"case": "G-6", "name": "o, 8 rows", "median_ms": 0.010, "pair_us": 10.0, "cublaslt_us": 20.0},
        {"case": "G-4", "name": "no adapter in the batch", "median_ms": 4.0, "base_ms": 4.0}]}

    @staticmethod
    def peers(*rows):
        return {"program": "gpu_peers", "card": "c", "torch": "1", "triton": "2", "shape": "s", "rows": list(rows)}

    def told(self, *rows):
        lines, met = gpu_compare.compared(self.OURS, self.peers(*rows))
        return "\n".join(lines), met

    def test_what_adapters_add_is_compared_with_what_the_peers_add(self):
        def peer(name, median):
            return {"case": "G-3", "name": "r16, 8 adapters", "peer": name, "median_ms": median, "base_ms": 5.0, "over_base_percent": 20.0}

        text, met = self.told(peer("triton", 5.6), peer("loop", 7.9))
        self.assertEqual(met, [True, False])  # 0.3 of 0.6 at most a half, of 2.9 not at most a tenth
        self.assertIn("| G-3 r16, 8 adapters | 4.300 ms (+7.5 %) | 5.600 ms (+20.0 %) | 7.900 ms (+20.0 %) | 0.300 ms added, triton 0.600", text)
        self.assertEqual(self.told(peer("triton", 5.5), peer("loop", 8.1))[1], [False, True])

    def test_ranks_without_a_wish_and_rows_without_a_peer_are_not_judged(self):
        text, met = self.told({"case": "G-3", "name": "r64, 8 adapters", "peer": "triton", "median_ms": 9, "base_ms": 8, "over_base_percent": 12.5})
        self.assertEqual(met, [])
        self.assertNotIn("G-4", text)

    def test_a_kernel_is_judged_by_the_fastest_and_a_missing_peer_by_nobody(self):
        text, met = self.told({"case": "G-6", "name": "o, 1 rows", "peer": "triton", "median_ms": 0.0097, "pair_us": 9.7},
                              {"case": "G-6", "name": "o, 8 rows", "peer": "triton", "median_ms": 0.0096, "pair_us": 9.6},
                              {"case": "G-6", "name": "o, 8 rows", "peer": "bmm", "missing": "no room"})
        self.assertEqual(met, [False, True])
        self.assertIn("+11.1 % over cublaslt, wanted <= 5 %: NOT MET", text)
        self.assertIn("+4.2 % over triton, wanted <= 5 %: met", text)
        self.assertIn("not measured", text)

    def test_files_of_something_else_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            names = {}
            for name, content in (("ours", self.OURS), ("peers", self.peers()), ("other", self.peers() | {"shape": "t"}), ("list", [])):
                names[name] = str(pathlib.Path(folder) / name)
                pathlib.Path(names[name]).write_text(json.dumps(content))
            with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as told:
                self.assertEqual(gpu_compare.main([names["ours"], names["peers"]]), 0)
                for words in (["peers", "ours"], ["ours", "other"], ["ours", "list"]):
                    self.assertEqual(gpu_compare.main([names[w] for w in words]), 2)
                self.assertEqual(gpu_compare.main([names["ours"], "nothing there"]), 2)
                self.assertEqual(gpu_compare.main([]), 2)
            self.assertIn("0 of 0 comparisons are met", out.getvalue())
            self.assertIn("the shapes differ: s and t", told.getvalue())

    def test_beside_weights_of_another_kind_times_are_told_and_nothing_is_judged(self):
        peer = {"case": "G-3", "name": "r16, 8 adapters", "peer": "triton", "median_ms": 5.6, "base_ms": 5.0, "over_base_percent": 12.0}
        lines, met = gpu_compare.compared(self.OURS | {"dtype": "fp8"}, self.peers(peer))
        self.assertEqual(met, [])
        self.assertIn("| lorica, fp8 |", lines[0])
        self.assertIn("5.600 ms", lines[2])

    def test_two_results_of_the_bench_stand_side_by_side(self):
        faster = self.OURS | {"dtype": "fp8", "rows": [self.OURS["rows"][0] | {"median_ms": 2.15}, {"case": "G-6", "name": "o, 1 rows", "missing": "no"}],
                              "cases": [{"case": "G-1", "state": "cut off", "why": "its time was over"}, {"case": "G-6", "state": "ended"}]}
        lines = gpu_compare.own_lines(self.OURS, faster)
        self.assertIn("| | bfloat16 | fp8 | of the time |", lines)
        self.assertIn("| G-3 r16, 8 adapters | 4.300 ms (+7.5 %) | 2.150 ms (+7.5 %) | 0.50 |", lines)
        self.assertIn("| G-6 o, 1 rows | 10.0 us | not measured |  |", lines)
        self.assertEqual(len(lines), 4)
        self.assertEqual(gpu_compare.not_whole(self.OURS, faster), ["G-1 cut off: its time was over"])

    def test_the_peers_compute_what_they_should(self):
        python = ROOT / "build/peers/transformers/bin/python"
        if not python.exists():
            self.skipTest("bench/peers/setup transformers was not run: there is no torch")
        command = [python, ROOT / "bench/peers/gpu_peers.py", "--device", "cpu", "--shape", "tiny", "--only", ""]
        done = subprocess.run(command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["rows"], [])

    def test_shapes_are_those_of_the_bench(self):
        source = (ROOT / "bench/gpu/shape.cpp").read_text()
        for name, (shape, _) in gpu_shape.SHAPES.items():
            sizes = ",".join(f"{f}={getattr(shape, f)}" for f in ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "vocab"))
            self.assertIn(sizes + ",positions=", source, name)


class GpuSuite(unittest.TestCase):
    """tools/gpu_suite.sh with stand-ins for a device and for the programs of a bundle."""

    def run_suite(self, folder, bench_code, *flags):
        def program(path, *lines):
            path.parent.mkdir(exist_ok=True)
            path.write_text("\n".join(["#!/bin/bash", *lines]) + "\n")
            path.chmod(0o755)
        folder = pathlib.Path(folder)
        program(folder / "bin/nvidia-smi", 'case "$*" in *loop-ms*) exit 0 ;; -L) echo "GPU 0" ;; *) echo card ;; esac')
        program(folder / "b/gpu_tests", """echo '{"finished":true,"passed":3,"failed":0,"skipped":1,"cases":[]}' >"$LORICA_TEST_REPORT\"""")
        program(folder / "b/gpu_bench", f'echo "$@" >"{folder}/flags"', f"exit {bench_code}")
        (folder / "b/README.md").write_text("Built from commit abc123.\n")
        command = ["bash", ROOT / "tools/gpu_suite.sh", "--bundle", folder / "b", "--output", folder / "out", *flags]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"})
        parts = json.loads((folder / "out/suite.json").read_text())["parts"]
        return done.returncode, {p["part"]: p for p in parts}

    def test_the_bench_stops_by_itself_before_its_time_and_that_is_no_failure(self):
        with tempfile.TemporaryDirectory() as folder:
            code, parts = self.run_suite(folder, 4, "--total", "300", "--", "--only", "G-1")
            self.assertEqual(code, 0)
            self.assertEqual(parts["tests"]["passed"], 3)
            self.assertEqual(parts["bench"]["state"], "passed, not all in its time")
            flags = (pathlib.Path(folder) / "flags").read_text()
            self.assertRegex(flags, r"--limit 2[0-9][0-9] --only G-1")

    def test_a_failed_bench_and_too_little_time_are_told(self):
        with tempfile.TemporaryDirectory() as folder:
            code, parts = self.run_suite(folder, 1, "--bench-seconds", "90")
            self.assertEqual((code, parts["bench"]["state"], parts["bench"]["exit_code"]), (1, "failed", 1))
            self.assertEqual(self.run_suite(folder, 0, "--total", "60")[1]["bench"]["state"], "not run")


if __name__ == "__main__":
    outcome = unittest.TextTestRunner(verbosity=0).run(unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__]))
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"bench_scripts: {outcome.testsRun - bad} passed, {bad} failed, {len(outcome.skipped)} skipped")
    sys.exit(bad != 0)
