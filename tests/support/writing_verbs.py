"""Small runs of every verb that writes, for tests of what happens when writing goes wrong.

Inputs are made once in a directory; a run is made in a fresh directory, in which it leaves its outputs.
"""
import argparse
import hashlib
import json
import os
import shutil
import sqlite3
import struct
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

DOCUMENTED = {0, 1, 2, 65, 66, 69, 70, 73, 74, 75, 78}  # docs/exit_codes.md, without signals
DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, VOCABULARY, TOKENS = 16, 24, 1, 2, 1, 11, 8
SUITE = """schema = "guardbit-suite/1"
[[replay]]
name = "small"
traces = ["trace"]
accelerators = ["{accelerator}"]
variants = ["none"]
[[gemm]]
name = "product"
m = 3
n = 5
k = 7
accelerator = "{accelerator}"
"""
SWEEP = """accelerator = "{accelerator}"
trace = "trace"
[axes]
dram.latency_cycles = [50, 100]
"""


@dataclass
class Run:
    """A verb's small run: `outputs` are the names that it leaves in its directory; `copies` what it needs there first."""

    name: str
    words: list[str]
    outputs: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()


def checkpoint() -> bytes:
    """A llama2.c model of pseudo-random weights in (-1, 1)."""
    head_size = DIM // HEADS
    per_layer = 2 * DIM + 2 * DIM * DIM + 2 * KV_HEADS * head_size * DIM + 3 * HIDDEN * DIM
    number = VOCABULARY * DIM + LAYERS * per_layer + DIM + TOKENS * head_size
    values, state = [], 12345
    for _ in range(number):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append(((state >> 8) - 2**23) / 2**23)
    header = struct.pack("<7i", DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, VOCABULARY, TOKENS)
    return header + struct.pack(f"<{number}f", *values)


def npy(shape: tuple[int, int]) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    values = [((index * 37) % 101 - 50) / 8 for index in range(shape[0] * shape[1])]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}f", *values)


def library(path: str) -> str:
    """An argument's type: a library to preload. The loader only warns of one that is not there, and nothing would be tested."""
    if not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"{path}: no such library")
    return path


def checked(words: list[str], **options) -> subprocess.CompletedProcess:
    result = subprocess.run(words, capture_output=True, text=True, **options)
    assert result.returncode == 0, (words, result.returncode, result.stderr)
    return result


def make_runs(guardbit: str, source: Path, inputs: Path) -> list[Run]:
    """Makes the runs' inputs; paths in the runs are absolute or relative to a run's own directory."""
    accelerator = source / "configs/accelerators/edge.toml"
    (inputs / "small.bin").write_bytes(checkpoint())
    windows = [[token * 7 % VOCABULARY for token in range(TOKENS)]]
    (inputs / "tokens.json").write_text(json.dumps({"windows": windows}))
    (inputs / "x.npy").write_bytes(npy((5, 7)))
    (inputs / "suite.toml").write_text(SUITE.format(accelerator=accelerator))
    (inputs / "sweep.toml").write_text(SWEEP.format(accelerator=accelerator))
    capture = ["capture", str(inputs / "small.bin"), "--tokens", str(inputs / "tokens.json"), "-o"]
    replay = ["replay", str(inputs / "trace"), "-a", str(accelerator), "--variants", "none,slanc+rrs", "--threads", "2", "-q"]
    plan = ["sweep", "plan", str(inputs / "sweep.toml"), "-o"]
    checked([guardbit, *capture, str(inputs / "trace")])
    checked([guardbit, *replay, "-o", str(inputs / "result")])
    checked([guardbit, *plan, str(inputs / "planned")])
    shutil.copytree(inputs / "planned", inputs / "finished")
    checked([guardbit, "sweep", "run", str(inputs / "finished"), "--jobs", "1", "-q"])
    checked([guardbit, "sweep", "gather", str(inputs / "finished"), "-o", str(inputs / "gathered.db")])
    return [
        Run("gemm", ["gemm", "3", "5", "7", "--threads", "1", "-o", "c.npy"], ("c.npy",)),
        Run("quantize", ["quantize", str(inputs / "x.npy"), "--format", "fp8_e4m3", "--scale", "row", "-o", "q.safetensors"],
            ("q.safetensors",)),
        Run("capture", [*capture, "trace"], ("trace",)),
        Run("replay", [*replay, "-o", "result", "--timeline", "timeline.json", "--wave", "wave.vcd"],
            ("result", "timeline.json", "wave.vcd")),
        Run("bathtub", ["bathtub", str(inputs / "trace"), "-a", str(accelerator), "--from", "0", "--to", "1"]),
        Run("report", ["report", str(inputs / "result"), "-o", "page.html"], ("page.html",)),
        Run("regress", ["regress", "record", str(inputs / "suite.toml"), "-q", "-o", "golden"], ("golden",)),
        Run("plan", [*plan, "store"], ("store",)),
        Run("run", ["sweep", "run", "planned", "--jobs", "1", "-q"], ("planned",), ("planned",)),
        Run("gather", ["sweep", "gather", "finished", "-o", "sweep.db"], ("finished", "sweep.db"), ("finished",)),
        Run("pareto", ["pareto", "gathered.db", "--x", "cycles", "--y", "sqnr_db"], ("gathered.db",), ("gathered.db",)),
    ]


def prepare(run: Run, inputs: Path, directory: Path) -> None:
    for name in run.copies:
        original = inputs / name
        shutil.copytree(original, directory / name) if original.is_dir() else shutil.copy(original, directory / name)


def without_provenance(value):
    """What a JSON document says about the simulated machine."""
    if isinstance(value, dict):
        return {key: without_provenance(member) for key, member in value.items() if key != "provenance"}
    return [without_provenance(member) for member in value] if isinstance(value, list) else value


def database_content(file: Path) -> str:
    with closing(sqlite3.connect(file)) as database:  # takes back what a journal beside it says is half done
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], file
        return "\n".join(database.iterdump())


def content(file: Path) -> str:
    """Of a finished output file, as text that does not depend on when and where it was made."""
    if file.suffix == ".db":
        return database_content(file)
    if file.suffix == ".json" and file.parent.name != "golden":
        text = file.read_text()
        lines = text.splitlines()
        if len(lines) > 1 and '"guardbit-point/2"' in lines[1]:
            return lines[1] + lines[2]
        return json.dumps(without_provenance(json.loads(text)))
    return hashlib.sha256(file.read_bytes()).hexdigest()


def snapshot(directory: Path) -> dict[str, str]:
    """Every file below `directory`."""
    for database in directory.glob("*.db"):
        database_content(database)
    return {str(Path(root, name).relative_to(directory)): content(Path(root, name))
            for root, _, names in os.walk(directory) for name in names}


def wrong_files(run: Run, before: dict, reference: dict, after: dict, succeeded: bool) -> list[str]:
    """What is wrong with the files after a run: a success leaves all of `reference`, a failure nothing that is half there."""
    if succeeded:
        return [] if after == reference else [f"succeeds with other files: {differing(reference, after)}"]
    found = []
    for name in after:
        is_record = name.startswith("planned/failed/")  # that a point failed
        if not is_record and after[name] not in (reference.get(name), before.get(name)):
            found.append(f"leaves {name}")
    if any(name not in after for name in before):
        found.append(f"loses {differing(before, after)}")
    if "result" in run.outputs or "trace" in run.outputs:
        for output in run.outputs:
            there = {name for name in after if name == output or name.startswith(output + "/")}
            if there and there != {name for name in reference if name == output or name.startswith(output + "/")}:
                found.append(f"leaves half of {output}")
    return found


def differing(a: dict, b: dict) -> list[str]:
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))
