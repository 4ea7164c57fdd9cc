"""Runs the test_... functions of a file without pytest, each of which is one test.

Usage: run.py FILE [NAME]. Exit code 1 if a test fails, 77 if all that ran were skipped.
"""
import importlib.util
import pathlib
import sys
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support import Skipped  # noqa: E402


def main(file, wanted=""):
    specification = importlib.util.spec_from_file_location(pathlib.Path(file).stem, file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    tests = [(name, function) for name, function in vars(module).items() if name.startswith("test_") and wanted in name]
    counts = {"ok": 0, "skipped": 0, "FAILED": 0}
    for name, function in tests:
        try:
            function()
            outcome, reason = "ok", ""
        except Skipped as skip:
            outcome, reason = "skipped", f": {skip}"
        except Exception:
            outcome, reason = "FAILED", "\n" + traceback.format_exc()
        counts[outcome] += 1
        print(f"{outcome:8}{name}{reason}", flush=True)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    if counts["FAILED"] or not tests:
        return 1
    return 0 if counts["ok"] else 77


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
