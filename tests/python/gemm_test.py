"""gemm against `guardbit gemm` and against the golden products."""
import gzip
import re

import guardbit
import numpy
from support import SHARED, Skipped, accelerator, assert_raises, assert_same, command, folder, without

FP8 = {"array.activation": "fp8_e4m3", "array.weight": "fp8_e4m3"}


def operands(m=9, n=11, k=130, seed=1):
    random = numpy.random.default_rng(seed)
    return (random.standard_normal((m, k)).astype(numpy.float32), random.standard_normal((k, n)).astype(numpy.float32))


def from_command(a, b, *arguments, transpose_b=False, set=None):
    """(C, report) of the command line."""
    m, k = a.shape
    n = b.shape[0 if transpose_b else 1]
    words = [f"--set={key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in (set or {}).items()]
    with folder() as work:
        numpy.save(work / "a.npy", a)
        numpy.save(work / "b.npy", b)
        report = command("gemm", m, n, k, "--a", work / "a.npy", "--b", work / "b.npy", "-o", work / "c.npy", "--format",
                         "json",
                         *(["--transpose-b"] if transpose_b else []), *words, *arguments)
        return numpy.load(work / "c.npy"), report


def assert_same_product(found, expected):
    assert_same(found[0], expected[0])
    assert without(found[1], "provenance", "gemm") == without(expected[1], "provenance", "gemm")
    assert without(found[1]["gemm"], "a", "b") == without(expected[1]["gemm"], "a", "b")
    assert found[1]["provenance"] == without(expected[1]["provenance"], "a_sha256", "b_sha256")


def test_every_accumulator_is_that_of_the_command_line():
    a, b = operands()
    for keys in (
            {}, {**FP8, "accumulator.format": "fp16"}, {**FP8, "accumulator.format": "fp8_e5m2",
                                                        "accumulator.overflow": "saturate"},
            {"accumulator.format": "e6m9", "accumulator.rounding": "stochastic"},
            {"accumulator.format": "bf16", "accumulator.product": "bf16", "accumulator.interleave": 4,
             "accumulator.subnormals": "flush"},
            {**FP8, "accumulator.reduce": "tree", "array.dot_width": 8, "accumulator.format": "fp16"},
            {**FP8, "accumulator.reduce": "aligned", "array.dot_width": 16, "accumulator.extra_bits": 13,
             "accumulator.align_accumulator": False},
            {**FP8, "accumulator.reduce": "fixed", "accumulator.fixed_format": "q20.20",
             "accumulator.fixed_overflow": "saturate"},
            {**FP8, "accumulator.format": "fp16", "accumulator.buffer.format": "fp32",
             "accumulator.buffer.promote_every": 32},
            {"array.dataflow": "ws", "array.rows": 16}, {"array.activation": "int8", "array.weight": "int4",
                                                         "accumulator.format": "int24"},
            {**FP8, "array.scale": "dynamic"}):
        assert_same_product(guardbit.gemm(a, b, set=keys, seed=5), from_command(a, b, "--seed=5", set=keys))


def test_presets_and_accelerator_files():
    a, b = operands(seed=2)
    presets = [row for row in guardbit.accumulators() if row["kind"] == "preset"]
    assert {row["name"] for row in presets} >= {"hopper_fp8"}
    for row in presets:
        assert_same_product(guardbit.gemm(a, b, preset=row["name"]), from_command(a, b, "--preset", row["name"]))
    for name in ("edge", "fp8", "hopper"):
        file = accelerator(name)
        assert_same_product(guardbit.gemm(a, b, accelerator=file), from_command(a, b, "--accelerator", file))


def test_options():
    a, b = operands(seed=3)
    found = guardbit.gemm(a, b.T, transpose_b=True, set=FP8, events="overflow,swamped", error=False, reference=True)
    expected = from_command(a, numpy.ascontiguousarray(b.T), "--events=overflow,swamped", "--no-error", "--reference",
                            transpose_b=True, set=FP8)
    assert_same_product(found, expected)
    assert found[1]["result"]["equals_reference"] is True
    assert_same(found[0], guardbit.gemm(a, b, set=FP8, threads=1)[0])
    for matrix in (a, b):
        assert matrix.flags.owndata and matrix.flags.c_contiguous


def test_codes_in_and_out():
    a, b = operands(seed=4)
    codes = {name: guardbit.quantize(matrix, "fp8_e4m3")[0]["codes"] for name, matrix in (("a", a), ("b", b))}
    keys = {**FP8, "accumulator.format": "fp16"}
    values, report = guardbit.gemm(a, b, set=keys)
    found, report_of_codes = guardbit.gemm(codes["a"], codes["b"], a_format="fp8_e4m3", b_format="fp8_e4m3", set=keys,
                                           codes=True)
    assert report["result"]["digest"] == report_of_codes["result"]["digest"] and report["result"]["format"] == "fp16"
    assert_same(found.view(numpy.float16).astype(numpy.float32), values)
    bf16, _ = guardbit.gemm(a, b, set={**keys, "accumulator.format": "bf16"}, codes=True)
    wide, _ = guardbit.gemm(a, b, set={**keys, "accumulator.format": "bf16"})
    assert_same((bf16.astype(numpy.uint32) << 16).view(numpy.float32), wide)


def golden_blocks():
    path = SHARED / "vectors/gemm_8x8x64.txt.gz"
    if not path.exists():
        raise Skipped(f"{path}: not there")
    with gzip.open(path, "rt") as lines:
        block = {}
        for line in lines:
            words = line.split()
            if words[0] == "case":
                block = {"format": "fp8_" + re.search(r"src=(\w+)", line)[1], "A": [], "B": [], "results": []}
            elif words[0] == "end":
                yield block
            elif re.fullmatch(r"[AB]\d+", words[0]):
                block[words[0][0]].append(list(bytes.fromhex(words[1])))
            elif words[0] != "#":
                block["results"].append(words)


ACCUMULATORS = {
    "fp16_fma_seq": {"accumulator.format": "fp16"},
    "bf16_fma_seq": {"accumulator.format": "bf16"},
    "fp32_fma_seq": {"accumulator.format": "fp32"},
    "fp16_mul_then_add_seq": {"accumulator.format": "fp16", "accumulator.product": "fp16"},
    "fp16_chunk16_fp32": {"accumulator.format": "fp16", "accumulator.buffer.format": "fp32",
                          "accumulator.buffer.promote_every": 16},
    "e4m3_fma_seq_nonsat": {"accumulator.format": "fp8_e4m3", "accumulator.overflow": "nan"},
    "e4m3_fma_seq_sat": {"accumulator.format": "fp8_e4m3", "accumulator.overflow": "saturate"},
    "e5m2_fma_seq_nonsat": {"accumulator.format": "fp8_e5m2"},
    "e5m2_fma_seq_sat": {"accumulator.format": "fp8_e5m2", "accumulator.overflow": "saturate"},
}


def test_golden_products():
    compared = 0
    for block in golden_blocks():
        a, b = (numpy.array(block[name], numpy.uint8) for name in "AB")
        finite = [numpy.isfinite(guardbit.dequantize(codes, block["format"])).all() for codes in (a, b)]
        for name, overflows, underflows, inexact, *rows in block["results"]:
            if name not in ACCUMULATORS or not all(finite):
                continue
            keys = {"array.activation": block["format"], "array.weight": block["format"], **ACCUMULATORS[name]}
            found, report = guardbit.gemm(a, b, a_format=block["format"], b_format=block["format"], set=keys, error=False,
                                          codes=True)
            expected = numpy.array([[int(row[i:i + len(row) // 8], 16) for i in range(0, len(row),
                                                                                      len(row) // 8)] for row in rows])
            values = guardbit.dequantize(expected, report["result"]["format"])
            nan = numpy.isnan(values)
            assert (numpy.isnan(guardbit.dequantize(found, report["result"]["format"])) == nan).all(), name
            assert (found == expected)[~nan].all(), name
            stages = [report["result"]["events"].get(stage, {}) for stage in ("product", "inner_accumulator")]
            for text, event in ((overflows, "overflow"), (underflows, "underflow"), (inexact, "inexact")):
                count = text.split("=")[1]
                assert count == "-" or sum(stage.get(event, 0) for stage in stages) == int(count), (name, event, count,
                                                                                                    stages)
            compared += 1
    assert compared > 0


def test_errors():
    a, b = operands(2, 3, 4)
    gemm = guardbit.gemm
    assert_raises(ValueError, "b: got shape (3, 4); expected (4, N) for a of shape (2, 4)", gemm, a, b.T)
    assert_raises(ValueError, "b: got shape (4, 3); expected (N, 4) for a of shape (2, 4)", gemm, a, b, transpose_b=True)
    assert_raises(ValueError, "a: got shape (2,); expected 2 dimensions", gemm, a[:, 0], b)
    assert_raises(ValueError, "a: got nan at element 3; expected finite values", gemm, numpy.array([[1, 2], [3, numpy.nan]]),
                  b[:2])
    nan_code = numpy.array([[0, 0, 0, 0x7F]], numpy.uint8)
    assert_raises(ValueError, "a: got nan at element 3; expected finite values", gemm, nan_code, b, a_format="fp8_e4m3")
    assert_raises(ValueError, "b: got -inf at element 3; expected finite values", gemm, a,
                  numpy.array([[0], [0], [0], [0xFC00]], numpy.uint16), b_format="fp16")
    assert_raises(ValueError, "preset: got 'turbo'; expected one of", gemm, a, b, preset="turbo")
    assert_raises(ValueError, "events: got 'overflows'; expected all, none or some of", gemm, a, b, events="overflows")
    assert_raises(ValueError, "set: accumulator.formt: unknown key; did you mean accumulator.format?", gemm, a, b,
                  set={"accumulator.formt": "fp16"})
    assert_raises(ValueError, "array.rows", gemm, a, b, set={"array.rows": 0})
    assert_raises(TypeError, "set: array.rows: got list; expected str, bool, int or float", gemm, a, b,
                  set={"array.rows": [1]})
    assert_raises(TypeError, "set: got list; expected a mapping", gemm, a, b, set=["array.rows=1"])
    assert_raises(FileNotFoundError, "nowhere.toml", gemm, a, b, accelerator="nowhere.toml")
    assert_raises(TypeError, "accelerator: got int; expected str or os.PathLike", gemm, a, b, accelerator=3)
    assert_raises(ValueError, "accelerator: got ''; expected a path", gemm, a, b, accelerator="")
    assert_raises(ValueError, "array.activation_scale", gemm, a, b, set={"array.activation": "int8", "array.weight": "int8",
                                                                         "accumulator.format": "int32", "array.activation_scale": "row"})
    huge = numpy.broadcast_to(numpy.float32(1), (1 << 20, 1 << 20))
    assert_raises(MemoryError, "a needs", gemm, huge, b)
    tall = numpy.broadcast_to(numpy.float32(1), (1 << 20, 1))
    assert_raises(MemoryError, "a product of 1048576 x 1048576 x 1 needs", gemm, tall, tall.T)
