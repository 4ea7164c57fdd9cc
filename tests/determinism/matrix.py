"""One digest everywhere: builds guardbit with every compiler at every level of optimization and compares outputs, events and
cycles of products, quantizers, a replay and test vectors on every vector target, with 1, 2 and 7 threads, in both fidelities.

Usage: tests/determinism/matrix.py [--builds NAME,...] [--directory build/determinism] [--vectors DIRECTORY] [--no-build]

Prints one line a build and target; exit code 1 if two digests differ, 77 if a compiler is missing. A build takes about ten
minutes of one processor; build directories are kept and brought up to date.
"""
import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
COMPILERS = {"g++": "g++", "clang++": "clang++-14"}
BUILDS = tuple(f"{compiler}-{level}" for compiler in COMPILERS for level in ("O1", "O3"))
TARGETS = ("scalar", "sse4", "avx2", "avx512")
THREADS = ("1", "2", "7")
USAGE = 2  # exit code: there is no such vector target
NUM_TOKENS = 6
TEXT = b"And it came to pass in those days"  # of the included model's vocabulary, bytes

FP8 = ["--set", "array.activation=fp8_e4m3", "--set", "array.weight=fp8_e4m3"]
PRODUCTS = {
    "fp16": [*FP8, "--set", "accumulator.format=fp16", "--a", "normal:8"],
    "fp16 chunks": ["--set", "accumulator.format=fp16", "--set", "accumulator.buffer.format=fp32",
                    "--set", "accumulator.buffer.promote_every=32"],
    "bf16 stochastic": ["--set", "accumulator.format=bf16", "--set", "accumulator.rounding=stochastic", "--seed", "7"],
    "e4m3": [*FP8, "--set", "accumulator.format=fp8_e4m3", "--set", "accumulator.overflow=saturate"],
    "tree": ["--set", "accumulator.format=fp16", "--set", "accumulator.reduce=tree", "--set", "array.dot_width=4"],
    "hopper": ["--preset", "hopper_fp8"],
    "fixed": ["--set", "accumulator.reduce=fixed"],
    "fp32": ["--set", "array.activation=fp32", "--set", "array.weight=fp32"],
    "int4": ["--set", "array.activation=int4", "--set", "array.weight=int4", "--set", "accumulator.format=int16"],
}
QUANTIZED = {"fp8": ["fp8_e4m3", "--scale", "row"], "mxfp4": ["mxfp4_e2m1"], "int8": ["int8", "--scale", "tensor"],
             "uint4": ["uint4", "--scale", "row"], "nvfp4": ["nvfp4"]}


def built(name: str, directory: Path, build: bool) -> Path:
    compiler, level = name.rsplit("-", 1)
    where = directory / name
    if build:
        subprocess.run(["cmake", "-S", SOURCE, "-B", where, "-G", "Ninja", f"-DCMAKE_CXX_COMPILER={COMPILERS[compiler]}",
                        "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_CXX_FLAGS_RELEASE=-{level} -DNDEBUG", "-Wno-dev"],
                       check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["cmake", "--build", where, "--target", "guardbit"], check=True, stdout=subprocess.DEVNULL)
    return where / "guardbit"


class Digest:
    """Of everything that one build computes on one target, by case, so that a difference has a name."""

    def __init__(self, guardbit: Path, inputs: Path, options: list[str], fidelity: str, vectors: Path | None):
        self.guardbit, self.options = str(guardbit), options
        self.cases: dict[str, str] = {}
        for name, words in PRODUCTS.items():
            self.product(name, ["gemm", "37", "29", "160", *words])
            # The stepped array must agree with the closed forms.
            small = ["gemm", "9", "7", "40", "--set", "array.rows=4", "--set", "array.cols=4", *words]
            self.product(f"small {name}", [*small, "--fidelity", fidelity])
        self.replay("replay", inputs / "trace", "none,slanc+rrs", ["--decode", "2"])
        self.replay("small replay", inputs / "small", "none,rrs", ["--fidelity", fidelity, *small_array()])
        for name, words in QUANTIZED.items():
            self.quantize(name, inputs, words)
        if vectors is not None:
            self.conform(vectors)

    def run(self, words: list[str]) -> str:
        result = subprocess.run([self.guardbit, *words], capture_output=True, text=True)
        if result.returncode != 0:
            raise SystemExit(f"{self.guardbit} {' '.join(words)}: {result.returncode}: {result.stderr}")
        return result.stdout

    def product(self, name: str, words: list[str]) -> None:
        document = json.loads(self.run([*words, "--format", "json", *self.options]))
        timing = {key: value for key, value in document["timing"].items() if key not in ("fidelity", "pe_updates")}
        result = {key: document["result"][key] for key in ("digest", "events", "exponent_histogram")}
        self.cases[f"product {name}"] = json.dumps([result, timing])

    def replay(self, name: str, trace: Path, variants: str, words: list[str]) -> None:
        accelerator = SOURCE / "configs/accelerators/edge.toml"
        document = json.loads(self.run(["replay", str(trace), "-a", str(accelerator), "--variants", variants, "--format",
                                        "json", "-q", *words, *self.options]))
        self.cases[name] = json.dumps([(variant["name"], variant["digest"]) for variant in document["variants"]])

    def quantize(self, name: str, inputs: Path, words: list[str]) -> None:
        output = inputs / "quantized.safetensors"
        self.run(["quantize", str(inputs / "c.npy"), "--format", *words, "-o", str(output)])
        self.cases[f"quantize {name}"] = hashlib.sha256(output.read_bytes()).hexdigest()

    def conform(self, vectors: Path) -> None:
        files = [str(vectors / f"{name}.txt.gz") for name in ("bf16_mulAdd_RNE", "f16_mul_RTZ", "f16_add_RDN")]
        self.cases["conform"] = self.run(["conform", *files]).replace(str(vectors), "")

    def hex(self) -> str:
        return hashlib.sha256(json.dumps(self.cases, sort_keys=True).encode()).hexdigest()


def small_array() -> list[str]:
    return ["--set", "array.rows=8", "--set", "array.cols=8"]


def make_inputs(guardbit: Path, inputs: Path) -> None:
    """Short traces of the included model, and a matrix to quantize."""
    included = SOURCE / "traces/kjv-gpt2"
    (inputs / "model").mkdir()
    shutil.copy(included / "weights.safetensors", inputs / "model/model.safetensors")
    shutil.copy(included / "source/config.json", inputs / "model/config.json")
    for name, number in (("trace", NUM_TOKENS), ("small", 1)):
        (inputs / "tokens.json").write_text(json.dumps({"windows": [list(TEXT[: number + 1])]}))
        subprocess.run([guardbit, "capture", inputs / "model", "--tokens", inputs / "tokens.json", "-o", inputs / name],
                       check=True, capture_output=True)
    subprocess.run([guardbit, "gemm", "33", "70", "64", "-o", inputs / "c.npy"], check=True, capture_output=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--builds", default=",".join(BUILDS))
    parser.add_argument("--directory", type=Path, default=SOURCE / "build/determinism")
    parser.add_argument("--vectors", type=Path, default=SOURCE.parent / "shared/vectors")
    parser.add_argument("--no-build", action="store_true")
    arguments = parser.parse_args()
    names = arguments.builds.split(",")
    missing = {COMPILERS[name.rsplit("-", 1)[0]] for name in names} - {c for c in COMPILERS.values() if shutil.which(c)}
    if missing:
        print(f"not run: no {', '.join(sorted(missing))}; apt-get install clang-14")
        return 77
    vectors = arguments.vectors if arguments.vectors.is_dir() else None
    if vectors is None:
        print(f"without test vectors: no {arguments.vectors}")

    first: Digest | None = None
    num_digests = num_different = 0
    with tempfile.TemporaryDirectory(prefix="guardbit-determinism-") as directory:
        inputs = Path(directory)
        for name in names:
            guardbit = built(name, arguments.directory, not arguments.no_build)
            if first is None:
                make_inputs(guardbit, inputs)
            for target in TARGETS:
                probe = subprocess.run([guardbit, "gemm", "1", "1", "1", "--vector-target", target], capture_output=True)
                if probe.returncode == USAGE:
                    print(f"{name} {target}: not in this build, or not on this processor")
                    continue
                for threads in THREADS:
                    fidelity = "pe" if threads == "2" else "tile"
                    digest = Digest(guardbit, inputs, ["--vector-target", target, "--threads", threads], fidelity, vectors)
                    first = first or digest
                    different = [case for case in first.cases if digest.cases[case] != first.cases[case]]
                    num_digests += 1
                    num_different += bool(different)
                    said = f" DIFFERS in {', '.join(different)}" if different else ""
                    print(f"{name} {target} threads {threads} {fidelity}: {digest.hex()}{said}", flush=True)
    print(f"{num_digests} runs of {len(first.cases) if first else 0} cases, {num_different} differ")
    return 1 if num_different else 0


if __name__ == "__main__":
    sys.exit(main())
