"""The table malformed_inputs.txt with what it leaves out: how a file of the corpus reaches guardbit, and which ids and
files are tested elsewhere."""
import collections
import pathlib
import re
import shutil

Case = collections.namedtuple("Case", "id file exit_code message command")


PLACES = {"x", "x.toml", "hf", "shards"}  # where a case is put, in the work directory


def read_cases():
    cases = []
    for line in (pathlib.Path(__file__).parent / "malformed_inputs.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        file, exit_code, message, *command = line.split(" | ")
        name = re.search(r"\b[A-Z]+-\d\d\b", file).group()
        cases.append(Case(name, file, int(exit_code), message, command[0] if command else file.split("/")[0]))
    return cases


# How an input reaches a reader: (work directory, file of the corpus) -> arguments of guardbit.
def line_of(file):
    return file.read_text(encoding="utf-8").removesuffix("\n")


def replay_small(*options):
    return ["replay", "small", "-a", "a.toml", "--no-values", "--quiet", *options]


def overrides(_, file):
    return ["config", "check", "a.toml"] + [part for line in file.read_text().splitlines() for part in ("--set", line)]


def in_place_of(work, copy, original, name, file):
    """A copy of a directory in which one file is another."""
    target = work.path / copy
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(work.path / original, target)
    shutil.copyfile(file, target / name)
    return copy


def sweep(work, file):
    shutil.copyfile(file, work.path / "x.toml")  # its paths are relative to it
    return ["sweep", "plan", "x.toml", "-o", "never", "--max-points", "1000"]


def condition(work, file):
    text = line_of(file).replace("\\", "\\\\").replace('"', '\\"')
    work.write("x.toml", f'accelerator = "a.toml"\ntrace = "small"\nkeep = ["{text}"]\n'.encode())
    return ["sweep", "plan", "x.toml", "-o", "never"]


def suite(work, file):
    shutil.copyfile(file, work.path / "x.toml")
    return ["regress", "check", "x.toml", "--golden", "golden", "--quiet"]


def store_point(work, file):
    name = next((work.path / "store").glob("??/*.json")).relative_to(work.path / "store")
    return ["sweep", "status", in_place_of(work, "x", "store", name, file)]


def hugging_face(work, file):
    work.write("hf/config.json", file.read_bytes())
    return ["capture", "hf", "--tokens", "tokens.json", "-o", "never", "--quiet"]


def shard_index(work, file):
    for name in ("a", "b"):
        header = b'{"%s":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' % name.encode()
        shard = {"a": "one", "b": "two"}[name]
        work.write(f"shards/{shard}.safetensors", len(header).to_bytes(8, "little") + header + bytes(8))
    work.write("shards/config.json", work.read("hf_good.json"))
    work.write("shards/model.safetensors.index.json", file.read_bytes())
    return ["capture", "shards", "--tokens", "tokens.json", "-o", "never", "--quiet"]


COMMANDS = {
    "accelerator": lambda work, file: ["config", "check", str(file)],
    "overrides": overrides,
    "sweep": sweep,
    "condition": condition,
    "variant": lambda work, file: replay_small("--variants", line_of(file)),
    "gate": lambda work, file: replay_small("--variants", "none", "--fail-on", line_of(file)),
    "conform": lambda work, file: ["conform", str(file)],
    "result": lambda work, file: ["report", str(file), "-o", "never.html", "--quiet"],
    "points": lambda work, file: ["report", str(file), "-o", "never.html", "--quiet"],
    "bathtub": lambda work, file: ["report", "result", "--bathtub", str(file), "-o", "never.html", "--quiet"],
    "compare": lambda work, file: ["compare", "result", str(file)],
    "suite": suite,
    "golden": lambda work, file: ["regress", "check", "suite.toml", "--golden",
                                  in_place_of(work, "x", "golden", "product.golden.json", file), "--quiet"],
    "windows": lambda work, file: ["capture", "m.bin", "--tokens", str(file), "-o", "never", "--quiet"],
    "tokenizer_json": lambda work, file: ["capture", "m.bin", "--text", "text.txt", "--tokenizer", str(file), "-o", "never"],
    "tokenizer_bin": lambda work, file: ["capture", "m.bin", "--text", "text.txt", "--tokenizer", str(file), "-o", "never"],
    "llama2c": lambda work, file: ["capture", str(file), "--tokens", "tokens.json", "-o", "never", "--quiet"],
    "hugging_face": hugging_face,
    "shard_index": shard_index,
    "store_plan": lambda work, file: ["sweep", "status", in_place_of(work, "x", "store", "plan.jsonl", file)],
    "store_point": store_point,
    "trace": lambda work, file: ["replay", in_place_of(work, "x", "small", "trace.json", file), "-a", "a.toml", "--quiet"],
}


# ids whose tests are elsewhere: file, and what it calls them.
ELSEWHERE = {
    "GEN-01": ("tests/system/capture_bad_input_test.cpp", "GEN-01"),
    "GEN-02": ("tests/support/malformed_safetensors.h", "GEN_02"),
    "GEN-03": ("tests/unit/trace_test.cpp", "Gen03"),
    "GEN-04": ("tests/support/malformed_safetensors.h", "GEN_04"),
    "GEN-05": ("tests/system/capture_bad_input_test.cpp", "GEN-05"),
    "GEN-06": ("tests/system/capture_bad_input_test.cpp", "GEN-06"),
    "GEN-07": ("tests/fuzz/input_policy.py", "GEN-07"),
    "CFG-15": ("tests/fuzz/input_policy.py", "CFG-15"),
    "GEN-08": ("tests/unit/mapped_file_test.cpp", "Gen08"),
    "GEN-09": ("tests/system/capture_bad_input_test.cpp", "GEN-09"),
    "GEN-10": ("tests/unit/safetensors_test.cpp", "Gen10"),
    **{f"ST-{n:02}": ("tests/support/malformed_safetensors.h", f"ST_{n:02}") for n in range(1, 31)},
    "ST-31": ("tests/unit/safetensors_test.cpp", "St31"),
    "ST-32": ("tests/unit/safetensors_test.cpp", "St32"),
    **{f"PATH-0{n}": ("tests/system/capture_bad_input_test.cpp", f"PATH-0{n}") for n in (1, 2, 3, 4, 6, 7)},
    "PATH-05": ("tests/fuzz/input_policy.py", "PATH-05"),
    **{f"IDX-0{n}": ("tests/system/capture_bad_input_test.cpp", f"IDX-0{n}") for n in (1, 2, 3)},
    "TR-01": ("tests/unit/trace_test.cpp", "TR_01"),
    "TR-02": ("tests/unit/trace_test.cpp", "Tr02"),
    "TR-03": ("tests/unit/trace_test.cpp", "Tr03"),
    **{f"NPY-{n:02}": ("tests/support/malformed_npy.h", f"NPY-{n:02}") for n in range(1, 12)},
    **{f"DV-0{n}": ("tests/system/capture_bad_input_test.cpp", f"DV-0{n}") for n in range(1, 8)},
    "DV-08": ("tests/differential/int_quantize_test.cpp", "TheRangeIsAsymmetric"),
}

# What cannot happen here, and why.
NOT_HERE = {
    "CFG-16": "the seed has a default, and results record it",
    "TR-04": "a trace holds no op graph: ops follow from the family",
    **{f"OX-0{n}": "ONNX files are not read; OX-01 is one, refused" for n in range(1, 9)},
    **{f"GG-0{n}": "GGUF files are not read; GG-01 is one, named and refused" for n in range(1, 9)},
}


# Files that are seeds for fuzzing only, because another test gives the same ones to guardbit.
SEEDS_ONLY = {
    r"conform/.*VEC-(0[1-9]|1[2-79]|2[0-2])-.*": "tests/system/conform_test.cpp",
    r"(llama2c|tokenizer_bin)/.*": "tests/system/capture_bad_input_test.cpp",
    r"hugging_face/HFC-0[1235]-.*": "tests/system/capture_bad_input_test.cpp",
    r"tokenizer_json/TOK-0[36]-.*": "tests/unit/tokenizer_test.cpp",
    r"(safetensors|npy|trace_weights)/.*": "tests/support/malformed_safetensors.h, malformed_npy.h",
    r"store_plan/PLN-1[23]-.*": "what sweep status does not look at",
    r"[a-z0-9_]+/good[-.].*|conform/.*\.good\.txt": "not malformed",
}


def design_ids():
    last = {"GEN": 10, "ST": 32, "PATH": 7, "IDX": 3, "TR": 4, "NPY": 11, "NPZ": 5, "OX": 8, "GG": 8, "CFG": 16, "DV": 8}
    return {f"{family}-{n:02}" for family, count in last.items() for n in range(1, count + 1)}


CASES = read_cases()
