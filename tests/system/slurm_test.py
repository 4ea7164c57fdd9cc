"""A sweep on a real Slurm cluster of this host whose controller and one node are killed half-way: submitted again, it ends with
the digest of a serial run.

Usage: slurm_test.py GUARDBIT SOURCE_DIR. Exit code 77: not run, the reason is printed.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHARDS = 8
SWEEP = """accelerator = "{source}/configs/accelerators/edge.toml"
trace = "{source}/traces/kjv-gpt2"
[replay]
windows = 1
tokens = 64
[axes]
norm.accumulator.format = ["fp16", "bf16", "e5m13"]
norm.lanes = [4, 8, 16, 32]
dram.latency_cycles = [50, 100, 200, 400]
"""


def tasks_of(node: str, store: str) -> list[int]:
    """Processes of this store's tasks on `node`, and the slurmstepd above them, which outlives its slurmd."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            environment = (entry / "environ").read_bytes().split(b"\0") if entry.name.isdigit() else []
            if f"SLURMD_NODENAME={node}".encode() not in environment or store not in (entry / "cmdline").read_text():
                continue
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            found.append(int(entry.name))
            if (Path("/proc") / str(parent) / "comm").read_text().strip() == "slurmstepd":
                found.append(parent)
        except OSError:
            continue
    return found


class Lab:
    def __init__(self, source: Path, directory: Path):
        self.script = source / "tests/support/slurm_lab.sh"
        self.directory = directory

    def __call__(self, verb: str, *words: str) -> None:
        subprocess.run([str(self.script), verb, str(self.directory), *words], check=True)

    def pid(self, name: str) -> int:
        return int((self.directory / "run" / f"{name}.pid").read_text())

    def kill(self, name: str, store: str = "") -> None:
        """Hard; a node with its tasks, as if it lost its power."""
        for victim in [self.pid(name), *(tasks_of(name, store) if store else [])]:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                pass


def wait_until(what: str, condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.2)


def main() -> int:
    guardbit, source = sys.argv[1], Path(sys.argv[2])
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [name for name in ("slurmctld", "slurmd", "sbatch", "munged", "openssl") if shutil.which(name) is None]
    if missing:
        print(f"not run: no {', '.join(missing)}; apt-get install slurmctld slurmd slurm-client munge openssl")
        return 77

    directory = Path(tempfile.mkdtemp(prefix="guardbit-slurm-"))
    directory.chmod(0o755)
    (directory / "sweep.toml").write_text(SWEEP.format(source=source))

    def run(*words: str, expect: tuple[int, ...] = (0,)) -> str:
        result = subprocess.run([guardbit, *words], capture_output=True, text=True)
        assert result.returncode in expect, (words, result.returncode, result.stdout, result.stderr)
        return result.stdout

    def done() -> int:
        return int(run("sweep", "status", store, expect=(0, 75)).split("done ")[1].split(",")[0])

    def digest(of: str) -> str:
        return run("sweep", "status", of).split("digest ")[1].strip()

    serial, store = str(directory / "serial"), str(directory / "store")
    for output in (serial, store):
        run("sweep", "plan", str(directory / "sweep.toml"), "-o", output)
    run("sweep", "run", serial, "--jobs", "1", "-q")

    # Without Slurm in PATH: a clear message.
    absent = subprocess.run([guardbit, "sweep", "submit", store, "--slurm"], capture_output=True, text=True, env={"PATH": "/nowhere"})
    assert absent.returncode == 69 and "slurm-client" in absent.stderr, absent

    lab = Lab(source, directory / "lab")
    os.environ["SLURM_CONF"] = str(directory / "lab/slurm.conf")
    try:
        lab("up", "2", "1", str(20000 + os.getpid() % 20000))
        submit = ("sweep", "submit", store, "--slurm", "--shards", str(SHARDS), "--partition=main")
        print(run(*submit).strip())
        wait_until("some points are done", lambda: done() >= 6, 120)
        lab.kill("ctld")
        lab.kill("n2", store)
        at_kill = done()
        print(f"killed the controller and node n2 with {at_kill} of 48 points done")
        assert at_kill < 48, "nothing was interrupted"
        lab("controller")
        lab("node", "2")
        wait_until("the controller answers", lambda: subprocess.run(["squeue", "-h"], capture_output=True).returncode == 0, 60)
        subprocess.run(["scancel", "-u", subprocess.check_output(["id", "-un"], text=True).strip()], check=False)
        wait_until("old tasks are gone",
                   lambda: subprocess.run(["squeue", "-h"], capture_output=True, text=True).stdout.strip() == "", 120)
        before = done()
        if before < 48:
            print(run(*submit).strip())
            wait_until("all points are done", lambda: done() == 48, 300)
        assert digest(store) == digest(serial)
        assert "nothing to do" in run(*submit)
        assert run("sweep", "gather", store, "-o", str(directory / "db")).split("digest ")[1].strip() == digest(serial)
        print(f"{before} points before, {48 - before} after submitting again; digest of the serial run")
    finally:
        lab("down")
        time.sleep(2)
    shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
