"""Memory, files and processes that the system refuses, one call at a time: every verb that writes ends with a documented exit
code and one clear error, and leaves no half result and no temporary.

Usage: failing_calls_test.py GUARDBIT LIBRARY SOURCE_DIR [--every] [--verb NAME] [--kind KIND] [--at N]

LIBRARY is tests/support/fail_calls.cpp. Without --every some calls of each kind; with it every call, and of the allocations one
from each place (a chain of five callers) that allocates. Each call fails alone, and with all that follow.
"""
import argparse
import array
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from writing_verbs import Run, checked, library, make_runs, prepare, snapshot, wrong_files  # noqa: E402

KINDS = ("alloc", "open", "read", "write", "sync", "close", "name", "map", "process")
ALLOWED = (0, 69, 73, 74, 75)  # no call fails because an input, a configuration or this program is wrong
SAMPLES = {"alloc": 2}  # calls of a kind, verb and mode when not every one is tried; others: 1
TIMEOUT_SECONDS = 120
GLIBC_ABORT = "failed to register TLS destructor"  # glibc's own end of a process without 32 bytes for a thread's destructor


class Failures:
    """Runs of guardbit in which calls fail."""

    def __init__(self, guardbit: str, library: str, inputs: Path):
        self.guardbit, self.library, self.inputs = guardbit, library, inputs
        self.tried = self.reached = self.num_aborts = 0
        self.problems: list[str] = []
        self.known_places: set[int] = set()

    def environment(self, directory: Path, kind: str, at: int, on: bool) -> dict[str, str]:
        (directory / "count").write_bytes(bytes(8))
        added = {"LD_PRELOAD": self.library, "GUARDBIT_FAIL_CALLS": kind, "GUARDBIT_FAIL_AT": str(at),
                 "GUARDBIT_FAIL_COUNT": str(directory / "count")}
        return os.environ | added | ({"GUARDBIT_FAIL_ON": "yes"} if on else {})

    def calls(self, run: Run, kind: str, every: bool) -> list[int]:
        """Numbers of the calls to fail."""
        with tempfile.TemporaryDirectory() as name:
            directory, work = Path(name), Path(name, "work")
            work.mkdir()
            prepare(run, self.inputs, work)
            environment = self.environment(directory, kind, 0, False)
            if every and kind == "alloc":
                environment["GUARDBIT_FAIL_PATHS"] = str(directory / "paths")
            checked([self.guardbit, *run.words], cwd=work, env=environment)
            number = int.from_bytes((directory / "count").read_bytes(), "little")
            if every and kind == "alloc":
                entries = array.array("Q", (directory / "paths").read_bytes())
                new = {place: at for at, place in zip(entries[0::2], entries[1::2]) if place not in self.known_places}
                self.known_places |= new.keys()
                return sorted(new.values())
        samples = SAMPLES.get(kind, 1)
        if every or number <= samples:
            return list(range(1, number + 1))
        return [1 + (number - 1) * (2 * sample + 1) // (2 * samples) for sample in range(samples)]

    def fail(self, run: Run, reference: dict[str, str], kind: str, at: int, on: bool) -> None:
        with tempfile.TemporaryDirectory() as name:
            directory, work = Path(name), Path(name, "work")
            work.mkdir()
            prepare(run, self.inputs, work)
            before = snapshot(work)
            try:
                result = subprocess.run([self.guardbit, *run.words], cwd=work, env=self.environment(directory, kind, at, on),
                                        capture_output=True, text=True, errors="replace", timeout=TIMEOUT_SECONDS)
                found = self.wrong_end(result)
            except subprocess.TimeoutExpired:
                result, found = None, ["hangs"]
            self.tried += 1
            if int.from_bytes((directory / "count").read_bytes(), "little") < at:
                return  # another order of threads
            self.reached += 1
            try:
                found += wrong_files(run, before, reference, snapshot(work), result is not None and result.returncode == 0)
            except Exception as error:  # whatever a reader says about a file is the finding
                found.append(f"leaves a damaged file: {error!r}")
            if result is not None and GLIBC_ABORT in result.stderr:
                self.num_aborts += 1
            elif found:
                what = f"{run.name}: {kind} call {at}{' and all later ones' if on else ''} failing"
                self.problems.append(f"{what}: {'; '.join(found)}\n    {'' if result is None else result.stderr.strip()}")

    @staticmethod
    def wrong_end(result: subprocess.CompletedProcess) -> list[str]:
        errors = [line for line in result.stderr.splitlines() if line]
        found = []
        if result.returncode not in ALLOWED:
            found.append(f"ends with {result.returncode}")
        if result.returncode in (69, 73, 74) and not (len(errors) == 1 and errors[0].startswith("guardbit: ")):
            found.append("does not say one clear error")
        if any("internal error" in line for line in errors):
            found.append("says internal error")
        return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("guardbit")
    parser.add_argument("library", type=library)
    parser.add_argument("source", type=Path)
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--verb")
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--at", type=int)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="guardbit-failing-") as name:
        inputs = Path(name)
        failures = Failures(arguments.guardbit, arguments.library, inputs)
        with ThreadPoolExecutor(os.cpu_count() if arguments.every else 1) as executor:
            for run in make_runs(arguments.guardbit, arguments.source, inputs):
                if arguments.verb not in (None, run.name):
                    continue
                with tempfile.TemporaryDirectory() as directory:
                    prepare(run, inputs, Path(directory))
                    checked([arguments.guardbit, *run.words], cwd=directory)
                    reference = snapshot(Path(directory))
                for kind in KINDS if arguments.kind is None else (arguments.kind,):
                    calls = [arguments.at] if arguments.at else failures.calls(run, kind, arguments.every)
                    list(executor.map(lambda job: failures.fail(run, reference, kind, *job),
                                      [(at, on) for at in calls for on in (False, True)]))
                if arguments.every:
                    print(f"{run.name}: {failures.reached} failures so far", flush=True)
    print(f"{failures.reached} of {failures.tried} failures happened, {len(failures.problems)} ended badly, "
          f"{failures.num_aborts} in glibc's abort")
    print("\n".join(failures.problems))
    return 1 if failures.problems or failures.reached == 0 or failures.reached < failures.tried * 0.9 else 0


if __name__ == "__main__":
    sys.exit(main())
