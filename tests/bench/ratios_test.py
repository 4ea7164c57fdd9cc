#!/usr/bin/python3
"""ratios.py on a made-up run, and the table of docs/speed.md against its list of rows: ratios_test.py <speed.md>."""
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # no __pycache__ in the source tree
import ratios

PAGE = Path(sys.argv.pop()) if len(sys.argv) > 1 else None


def benchmark(name, rate, **more):
    unit = "GB/s" if name.startswith("Hadamard") else "GMAC/s"
    return {"name": name, "run_name": name, "run_type": "iteration", unit: rate, **more}


def made_up_run():
    """Sgemm 100; every other benchmark 50, but for a slow counted one and two threads at 80."""
    names = set()
    for row in ratios.rows():
        for name in row.names:
            names.update({name, row.base_of(name) or name})
    names.discard(ratios.SGEMM)
    run = [benchmark(ratios.SGEMM, 100.0, label="SkylakeX")]
    for name in sorted(names):
        rate = 7.0 if name.endswith("fp16_tree8/fp16/512x512x512/all") else 80.0 if "2threads" in name else 50.0
        run.append(benchmark(name + ("/real_time" if "/wall/" in name else ""), rate))
    return {"context": {"num_cpus": 2, "cpu": "a processor", "vector_target": "avx512"}, "benchmarks": run}


def rows_of(text):
    """(case, benchmark, must, aim) of every row of a Markdown table behind its heading."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [(row[0], row[1], row[3], row[4]) for row in cells[2:]]


class RatiosTest(unittest.TestCase):
    def measured(self, report):
        text = ratios.table_text(report, ratios.median_rates(report))
        return {tuple(line.split(" | ")[:2]): line.split(" | ")[2] for line in text.splitlines() if line.startswith("| ")}

    def test_ratios_are_to_their_bases(self):
        cells = self.measured(made_up_run())
        self.assertEqual(cells["| fp16 from fp8 or int4", "`fp16/fp8_e4m3`"], "0.5")
        self.assertEqual(cells["| Hadamard fp32, GB/s", "`Hadamard/fp32/128x512`"], "50")
        self.assertEqual(cells["| swamped, to none", "`bf16/fp8_e4m3`"], "1")
        self.assertEqual(cells["| all counters", "the slowest of all GEMMs above"], "0.07 (`fp16_tree8/fp16`)")
        self.assertEqual(cells["| two threads to one, by the clock", "`fp16/fp16`"], "1.6")

    def test_medians_of_repetitions_without_aggregates(self):
        report = made_up_run()
        name = "Gemm/fp16/fp8_e4m3/512x512x512"
        report["benchmarks"] += [benchmark(name, 30.0), benchmark(name, 20.0),
                                 benchmark(name, 99.0, run_type="aggregate")]
        self.assertEqual(self.measured(report)["| fp16 from fp8 or int4", "`fp16/fp8_e4m3`"], "0.3")

    def test_what_is_missing_is_not_made_up(self):
        report = made_up_run()
        report["benchmarks"] = [row for row in report["benchmarks"] if "int16" not in row["name"]]
        cells = self.measured(report)
        self.assertEqual(cells["| int16 saturating, exact", "`int16_saturate/int8`"], "not measured")
        self.assertEqual(cells["| all counters", "the slowest of all GEMMs above"], "not measured")

    def test_rows_below_their_mark_are_named(self):
        lines = ratios.below_must(ratios.median_rates(made_up_run()))
        self.assertEqual(len(lines), 4, lines)  # int4, int16 at 0.5 and two threads at 1.6, twice
        self.assertIn("below 1.8: two threads to one, by the clock: Gemm/fp16/fp16/512x512x512/wall/2threads: 1.6", lines)

    def test_filter_takes_the_table_and_nothing_else(self):
        pattern = re.compile(ratios.benchmark_filter())
        for row in made_up_run()["benchmarks"]:
            self.assertTrue(pattern.search(row["name"]), row["name"])
        for name in ("Gemm/fp16/fp8_e4m3/512x512x512/swamped", "Sgemm/128x768x768", "Gemm/fp32/fp16/512x512x512"):
            self.assertFalse(pattern.search(name), name)

    def test_table_replaces_what_is_between_the_marks(self):
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "speed.md"
            file.write_text(f"before\n{ratios.BEGIN}\nold\n{ratios.END}\nafter\n", encoding="utf-8")
            ratios.write_into(file, "new\n")
            self.assertEqual(file.read_text(encoding="utf-8"), f"before\n{ratios.BEGIN}\nnew\n{ratios.END}\nafter\n")
            file.write_text("no marks\n", encoding="utf-8")
            with self.assertRaises(SystemExit):
                ratios.write_into(file, "new\n")

    def test_page_has_the_same_rows(self):
        text = PAGE.read_text(encoding="utf-8")
        table = text.partition(ratios.BEGIN)[2].partition(ratios.END)[0]
        report = made_up_run()
        self.assertEqual(rows_of(table), rows_of(ratios.table_text(report, ratios.median_rates(report))))
        self.assertNotIn("not measured", table)

    def test_wrong_arguments_are_refused(self):
        script = Path(ratios.__file__)
        for arguments in ([], ["a.json", "--al"], ["a.json", "--into"]):
            result = subprocess.run([sys.executable, script, *arguments], capture_output=True, check=False)
            self.assertEqual(result.returncode, 1, arguments)


if __name__ == "__main__":
    unittest.main()
