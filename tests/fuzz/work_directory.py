"""A directory with one good file of every kind that guardbit reads, for the tests of bad ones; all of it is the same on
every machine. Also the good files as seeds for the fuzz targets."""
import json
import pathlib
import struct
import subprocess

SIZES = dict(dim=4, hidden_dim=6, n_layers=1, n_heads=2, n_kv_heads=1, vocab_size=300, seq_len=16)

SMALL_SIZES = {**SIZES, "vocab_size": 5, "seq_len": 8}  # the model of tests/support/small_trace.h, bit for bit

SUITE = """schema = "guardbit-suite/1"
[[gemm]]
name = "product"
accelerator = "a.toml"
m = 2
n = 2
k = 3
"""

SWEEP = """accelerator = "a.toml"
trace = "small"
keep = ["array.rows <= 4"]
[replay]
values = false
[axes]
array.rows = [2, 4, 8]
"""


def checkpoint(sizes=SIZES):
    """llama2.c's first layout, with values of a linear congruential generator."""
    s = sizes
    head = s["dim"] // s["n_heads"]
    kv = s["n_kv_heads"] * head
    layer = 2 * s["dim"] + 2 * s["dim"] ** 2 + 2 * kv * s["dim"] + 3 * s["hidden_dim"] * s["dim"]
    count = s["vocab_size"] * s["dim"] + s["n_layers"] * layer + s["dim"] + s["seq_len"] * head
    values, state = [], 12345
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append(((state >> 8) - 2**23) / 2**23)
    return struct.pack("<7i", *s.values()) + struct.pack(f"<{count}f", *values)


def tokenizer_bin(vocabulary=SIZES["vocab_size"]):
    """llama2.c's tokenizer: the longest piece, then score, length and bytes of each; bytes are tokens 3 to 258."""
    pieces = [b"<unk>", b"\n<s>\n", b"\n</s>\n"] + [b"<0x%02X>" % byte for byte in range(256)]
    pieces += [bytes([byte]) for byte in range(32, 127)]
    pieces = pieces[:vocabulary]
    return struct.pack("<i", 8) + b"".join(struct.pack("<fi", -float(i), len(p)) + p for i, p in enumerate(pieces))


def npy(descr, shape, data, version=1):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header)) + header + data


class WorkDirectory:
    def __init__(self, guardbit, source, path):
        self.guardbit, self.source, self.path = guardbit, pathlib.Path(source), pathlib.Path(path)
        self.write("m.bin", checkpoint())
        self.write("small.bin", checkpoint(SMALL_SIZES))
        self.write("tokens.json", b'{"windows": [[0, 1, 2, 3], {"tokens": [4, 0]}]}')
        self.write("text.txt", b"hello")
        self.write("hf_good.json", next(c for t, f, c in GOOD_LINES if f == "good-gpt2.json"))
        self.write("a.toml", b"array.rows = 4\narray.cols = 4\n")
        self.write("suite.toml", SUITE.encode())
        self.write("sweep.toml", SWEEP.encode())
        self.run("capture", "small.bin", "--tokens", "tokens.json", "--record-tokens", "2", "-o", "small")
        self.run("replay", "small", "-a", "a.toml", "--variants", "none", "-o", "result")
        self.run("replay", "small", "-a", "a.toml", "--variants", "none,slanc_residual", "--no-values", "-o", "timing")
        bathtub = self.run("bathtub", "small", "-a", "a.toml", "--from", "-1", "--to", "1", "--format", "json")
        self.write("bathtub.json", bathtub)
        self.run("sweep", "plan", "sweep.toml", "-o", "store")
        self.run("sweep", "run", "store", "--quiet", "--jobs", "1")
        self.run("sweep", "gather", "store", "-o", "points.db")
        self.write("points.json", self.run("query", "points.db", "SELECT * FROM points", "--format", "json"))
        self.run("regress", "record", "suite.toml", "-o", "golden", "--quiet")

    def write(self, name, content):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def run(self, *arguments):
        done = subprocess.run([self.guardbit, *arguments], cwd=self.path, capture_output=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"guardbit {' '.join(arguments)}: exit {done.returncode}: {done.stderr.decode()}")
        return done.stdout

    def read(self, name):
        return (self.path / name).read_bytes()

    def good_seeds(self):
        """(target, file name, content): what each reader accepts."""
        point = next((self.path / "store").glob("??/*.json"))
        yield "safetensors", "good.safetensors", self.read("small/weights.safetensors")
        yield "trace", "good.json", self.read("small/trace.json")
        yield "trace_weights", "good.safetensors", self.read("small/weights.safetensors")
        yield "windows", "good.json", self.read("tokens.json")
        yield "windows", "good.npy", npy("<i8", "(2, 4)", struct.pack("<8q", *range(8)))
        for descr, size in (("<f4", 4), ("|u1", 1), ("<i2", 2), (">f8", 8), ("<f2", 2)):
            yield "npy", f"good-{descr[1:]}.npy", npy(descr, "(2, 3)", bytes(6 * size), 1 + size % 3)
        yield "llama2c", "good.bin", checkpoint(SMALL_SIZES)
        yield "tokenizer_bin", "good.bin", tokenizer_bin()
        yield "shard_index", "good.json", b'{"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}'
        for name in ("gpt2", "llama2", "llama3", "metaspace_first", "metaspace_split", "qwen2"):
            yield "tokenizer_json", f"good-{name}.json", (self.source / f"tests/golden/tokenizers/{name}.json").read_bytes()
        for file in sorted((self.source / "configs/accelerators").glob("*.toml")):
            yield "accelerator", f"good-{file.name}", file.read_bytes()
        yield "overrides", "good.txt", b"array.rows=4\nnorm.accumulator.format=bf16\nstorage.residual=e5m10\nclock.mhz=1e2\n"
        yield "sweep", "good.toml", self.read("sweep.toml")
        yield "store_plan", "good.jsonl", self.read("store/plan.jsonl")
        yield "store_point", "good.json", point.read_bytes()
        yield "store_point", "good-failure.json", FAILURE
        yield "condition", "good.txt", b"a.rows * 2 + 1 <= 64 and not (b.x == 'ws' or a.y != 3 / -2)"
        yield from ((t, f, c) for t, f, c in GOOD_LINES)
        for target in ("result", "compare"):
            yield target, "good.json", self.read("result/result.json")
            yield target, "good-timing.json", self.read("timing/result.json")
            yield target, "good-short.json", self.short_result("result")
            yield target, "good-short-timing.json", self.short_result("timing")
        yield "bathtub", "good.json", self.read("bathtub.json")
        yield "bathtub", "good-points.json", self.read("points.json")
        yield "golden", "good.golden.json", self.read("golden/product.golden.json")
        yield "suite", "good.toml", self.read("suite.toml")

    def short_result(self, name):
        """A result of few ops and little white space: libFuzzer is slow on large inputs."""
        result = json.loads(self.read(f"{name}/result.json"))
        for variant in result["variants"]:
            variant["ops"] = variant["ops"][:3]
            names = {op["name"] for op in variant["ops"]}
            variant["stalls"] = [s for s in variant["stalls"] if {s.get("op"), s.get("producer_op")} <= names | {None}]
        return json.dumps(result, separators=(",", ":")).encode()


FAILURE = (b'{"schema": "guardbit-failure/1", "key": "%s", "exit_code": 70, "signal": 0, "timed_out": false, '
           b'"attempts": 1, "error": "x"}\n' % (b"a" * 64))

GOOD_LINES = [
    ("conform", "f16_add_RNE.good.txt", b"# TestFloat\n3C00 3C00 4000 00\n3C00 1000 3C00 01\n"),
    ("conform", "gemm_small.good.txt",
     b"case 0 src=e4m3 M=1 N=1 K=2 kind=x\nA0 3838\nB0 38\nB1 38\nfp16_fma_seq of=0 uf=0 nx=0 4000\nend\n"),
    ("conform", "fp8_e4m3_from_fp32_sr.good.txt", b"36809BB8 8 00 00\n"),
    ("gate", "good.txt", b"slanc+rrs: -(events.norm.overflow + 2) * 3 >= 2e7 / perplexity"),
    ("variant", "good.txt", b"none,slanc+rrs,smoothquant(alpha=0.5)+gptq(group=128,act_order)+slanc,rrs+w4a4kv4,w4a16_fp16"),
    ("hugging_face", "good.json",
     b'{"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 23, '
     b'"num_key_value_heads": 1, "head_dim": 4, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "intermediate_size": 12, '
     b'"hidden_act": "silu", "max_position_embeddings": 16, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, '
     b'"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8}}'),
    ("hugging_face", "good-gpt2.json",
     b'{"model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 2, "n_positions": 8, "vocab_size": 23, "n_inner": null, '
     b'"layer_norm_epsilon": 1e-5, "activation_function": "gelu_new"}'),
]
