"""The benches' scripts: which runs count, and what the page of results says. `python3 tests/bench/scripts_test.py`"""

import pathlib
import subprocess
import sys
import types
import unittest
import xml.dom.minidom

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT / "bench/peers"), str(ROOT / "bench/report")]

import compare  # noqa: E402
import machine  # noqa: E402
import report  # noqa: E402
import results  # noqa: E402
import served  # noqa: E402
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


if __name__ == "__main__":
    outcome = unittest.TextTestRunner(verbosity=0).run(unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__]))
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"bench_scripts: {outcome.testsRun - bad} passed, {bad} failed, {len(outcome.skipped)} skipped")
    sys.exit(bad != 0)
