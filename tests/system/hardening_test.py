"""Hostile surroundings: every verb that writes gives the same bits or one clear error, and leaves no half result.

Usage: hardening_test.py GUARDBIT MXCSR_LIBRARY LOCALE_LIBRARY SOURCE_DIR [--thorough] [--only NAME]

Full disks, standard streams that are full or closed, signals at random times, directories that cannot be written, small stacks,
the processor's floating-point state and the locale that a host program left behind. What needs root (mounting a small tmpfs) or
packages (locales) is left out elsewhere, and said.
"""
import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from writing_verbs import DOCUMENTED, checked, library, make_runs, prepare, snapshot, wrong_files  # noqa: E402

PAGE = 4096
SMALL_STACK = 64 * 1024
NOBODY = 65534


class Matrix:
    def __init__(self, arguments, inputs: Path):
        self.arguments, self.inputs = arguments, inputs
        self.guardbit = arguments.guardbit
        self.runs = make_runs(self.guardbit, arguments.source, inputs)
        self.problems: list[str] = []
        self.num_runs = 0
        self.expected = {}
        for run in self.runs:
            with self.directory(run) as work:
                start = time.monotonic()
                output = checked([self.guardbit, *run.words], cwd=work).stdout
                self.expected[run.name] = (output, snapshot(work), time.monotonic() - start)

    @contextmanager
    def directory(self, run):
        with tempfile.TemporaryDirectory() as name:
            prepare(run, self.inputs, Path(name))
            yield Path(name)

    def complain(self, run, where: str, found: list[str], errors: str) -> None:
        if found:
            self.problems.append(f"{run.name}, {where}: {'; '.join(found)}\n    {errors.strip()}")

    def judge(self, run, work: Path, before: dict, result: subprocess.CompletedProcess, where: str, codes, skip=()) -> None:
        """The exit code is one of `codes`, with one error if it is not 0, and no file is half there."""
        self.num_runs += 1
        found = []
        if result.returncode not in codes:
            found.append(f"ends with {result.returncode}, not one of {sorted(codes)}")
        lines = [line for line in (result.stderr or "").splitlines() if line]
        if result.returncode in DOCUMENTED - {0, 75} and result.stderr is not None:
            if len(lines) != 1 or not lines[0].startswith("guardbit: "):
                found.append("does not say one clear error")
        try:
            after = {name: value for name, value in snapshot(work).items() if name not in skip}
            found += wrong_files(run, before, self.expected[run.name][1], after, result.returncode == 0)
        except Exception as error:  # whatever a reader says about a file is the finding
            found.append(f"leaves a damaged file: {error!r}")
        self.complain(run, where, found, result.stderr or "")

    def run(self, run, where: str, codes, **options) -> None:
        with self.directory(run) as work:
            before = snapshot(work)
            options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
            result = subprocess.run([self.guardbit, *run.words], cwd=work, text=True, errors="replace", timeout=120, **options)
            self.judge(run, work, before, result, where, codes)
            if result.returncode == 0 and result.stdout is not None and result.stdout != self.expected[run.name][0]:
                self.complain(run, where, ["prints something else"], result.stderr or "")

    # One method each: what is hostile.

    def floating_point_state(self) -> None:
        for state in ("ffc0", "5f80") if self.arguments.thorough else ("ffc0",):  # to zero with FTZ and DAZ; up
            environment = os.environ | {"LD_PRELOAD": self.arguments.mxcsr_library, "GUARDBIT_TEST_MXCSR": state}
            for run in self.runs:
                self.run(run, f"MXCSR {state}", {0}, env=environment)

    def locale(self) -> None:
        environment = os.environ | {"LD_PRELOAD": self.arguments.locale_library, "LC_ALL": "de_DE.UTF-8"}
        with tempfile.TemporaryDirectory() as locales:
            made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", f"{locales}/de_DE.UTF-8"], capture_output=True) \
                if shutil.which("localedef") else None
            if made is None or made.returncode != 0:
                print("locale: no sources of de_DE (package locales); with the C++ library's commas alone")
                environment["LC_ALL"] = "C"
            environment["LOCPATH"] = locales
            for run in self.runs:
                self.run(run, "decimal commas", {0}, env=environment)

    def small_stacks(self) -> None:
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_STACK, (SMALL_STACK, SMALL_STACK))

        environment = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        for run in self.runs:
            self.run(run, "stacks of 64 KiB", {0}, preexec_fn=limit, env=environment)

    def standard_streams(self) -> None:
        for run in self.runs:
            says = self.expected[run.name][0] != ""
            with open("/dev/full", "w") as full:
                self.run(run, "full standard output", {74} if says else {0}, stdout=full)
                self.run(run, "full standard error", {0}, stderr=full)
            for stream in (0, 1, 2):
                self.run(run, f"stream {stream} closed", {74} if stream == 1 and says else {0},
                         **({"stdout": None} if stream == 1 else {"stderr": None} if stream == 2 else {}),
                         preexec_fn=lambda closed=stream: os.close(closed))

    def signals(self) -> None:
        generator = random.Random(7)
        for run in self.runs:
            repeats = 20 if self.arguments.thorough else 5 if run.name == "replay" else 1  # replay writes for longest
            for number in (signal.SIGINT, signal.SIGTERM) * repeats:
                with self.directory(run) as work:
                    before = snapshot(work)
                    process = subprocess.Popen([self.guardbit, *run.words], cwd=work, text=True, stdout=subprocess.DEVNULL,
                                               stderr=subprocess.PIPE)
                    time.sleep(generator.random() * self.expected[run.name][2])
                    process.send_signal(number)
                    errors = process.communicate(timeout=60)[1]
                    result = subprocess.CompletedProcess(process.args, process.returncode, None, errors)
                    self.judge(run, work, before, result, f"signal {number}", {0, -number})

    def full_disk(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            disk = Path(name)
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", name], capture_output=True, text=True)
            if mounted.returncode != 0:
                print(f"full disk: not run, cannot mount a tmpfs: {mounted.stderr.strip()}")
                return
            try:
                for run in (run for run in self.runs if run.outputs):
                    for free_pages in (0, 1, 3, 8, 20, 60) if self.arguments.thorough else (0, 3):
                        prepare(run, self.inputs, disk)
                        fill(disk / "filler", free_pages)
                        before = {name: value for name, value in snapshot(disk).items() if name != "filler"}
                        result = subprocess.run([self.guardbit, *run.words], cwd=disk, text=True, capture_output=True, timeout=120)
                        codes = {74} if free_pages == 0 and run.name != "gather" else {0, 73, 74, 75}
                        self.judge(run, disk, before, result, f"{free_pages} pages free", codes, skip=("filler",))
                        for entry in disk.iterdir():
                            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            finally:
                subprocess.run(["umount", name], check=True)

    def read_only_directory(self) -> None:
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        with tempfile.TemporaryDirectory() as name:
            program = Path(name, "guardbit")
            shutil.copy(self.guardbit, program)
            for readable in (Path(name), self.inputs):
                readable.chmod(0o755)
            try:
                checked([str(program), "config", "check", str(self.arguments.source / "configs/accelerators/edge.toml")], **user)
            except (AssertionError, OSError) as error:
                print(f"read-only directory: not run, another user cannot read what the runs need: {error}")
                return
            for run in (run for run in self.runs if run.outputs):
                with self.directory(run) as work:
                    before = snapshot(work)
                    for root, directories, files in os.walk(work):
                        for entry in (root, *(os.path.join(root, file) for file in files)):
                            os.chmod(entry, 0o555)
                    result = subprocess.run([str(program), *run.words], cwd=work, text=True, capture_output=True, timeout=120, **user)
                    for root, _, _ in os.walk(work):
                        os.chmod(root, 0o755)
                    self.judge(run, work, before, result, "read-only directory", {73})


def fill(file: Path, free_pages: int) -> None:
    """Leaves so many pages of the file system free."""
    with open(file, "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(PAGE))
        except OSError:
            pass
        filler.truncate(max(0, filler.tell() - free_pages * PAGE))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("guardbit")
    parser.add_argument("mxcsr_library", type=library)
    parser.add_argument("locale_library", type=library)
    parser.add_argument("source", type=Path)
    parser.add_argument("--thorough", action="store_true")
    parser.add_argument("--only")
    arguments = parser.parse_args()
    parts = ("floating_point_state", "locale", "small_stacks", "standard_streams", "signals", "full_disk", "read_only_directory")
    with tempfile.TemporaryDirectory(prefix="guardbit-hard-") as name:
        matrix = Matrix(arguments, Path(name))
        for part in parts if arguments.only is None else (arguments.only,):
            before = len(matrix.problems)
            getattr(matrix, part)()
            print(f"{part}: {len(matrix.problems) - before} problems after {matrix.num_runs} runs in all", flush=True)
    print("\n".join(matrix.problems))
    return 1 if matrix.problems else 0


if __name__ == "__main__":
    sys.exit(main())
