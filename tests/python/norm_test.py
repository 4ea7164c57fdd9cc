"""layer_norm, rms_norm and hadamard against the norms of `guardbit bathtub` and the ops of `guardbit replay`."""
import hashlib
import json
import subprocess

import guardbit
import numpy
from support import GUARDBIT, SHARED, TRACE, Skipped, accelerator, assert_raises, assert_same, command, folder, read_safetensors


def sha256(array):
    return hashlib.sha256(array.astype(numpy.float32, copy=False).tobytes()).hexdigest()


def tokens_of(trace):
    """The inputs of a trace's first window: all tokens but the last, which is only predicted."""
    return numpy.array(json.loads((trace / "trace.json").read_text())["windows"][0]["tokens"][:-1])


def first_norm_input():
    """What the first norm of the included GPT-2 reads: token and position embeddings added in binary32, stored in fp16."""
    weights = read_safetensors(TRACE / "weights.safetensors")
    tokens = tokens_of(TRACE)
    x = weights["transformer.wte.weight"][tokens].astype(numpy.float32) + weights["transformer.wpe.weight"][:len(tokens)]
    return x.astype(numpy.float16), weights


def bathtub(trace, *arguments):
    """The first norm's points by log2 of the scale."""
    result = command("bathtub", trace, "--accelerator", accelerator("edge"), "--windows=1", "--from=-6", "--to=6",
                     "--format=json", *arguments)
    return {point["log2_scale"]: point for point in result["norms"][0]["points"]}


def assert_is_point(y, report, point):
    assert sha256(y) == point["output_sha256"], point["log2_scale"]
    for event, by_token in point["events"].items():
        assert sum(stage.get(event, 0) for name, stage in report["events"].items() if name not in ("normalize",
                                                                                                   "storage")) == by_token["events"], event


def test_layer_norm_is_that_of_bathtub_at_every_scale():
    x, weights = first_norm_input()
    gamma, beta = weights["transformer.h.0.ln_1.weight"], weights["transformer.h.0.ln_1.bias"]
    for keys in ({}, {"norm.accumulator.format": "fp8_e5m2", "norm.statistics": "two_pass"}, {"norm.statistics": "welford",
                                                                                              "norm.epsilon": "raw"}):
        points = bathtub(TRACE, *(f"--set={key}={value}" for key, value in keys.items()))
        for exponent in (-6, 0, 5):
            y, report = guardbit.layer_norm(x, gamma, beta, input_scale=2.0**exponent, accelerator=accelerator("edge"),
                                            set=keys)
            assert y.shape == x.shape and y.dtype == numpy.float32
            assert_is_point(y, report, points[exponent])


def test_rms_norm_is_that_of_bathtub():
    checkpoint = SHARED / "models/stories260k"
    if not checkpoint.exists():
        raise Skipped(f"{checkpoint}: not there")
    with folder() as work:
        numpy.save(work / "tokens.npy", numpy.arange(1, 41, dtype=numpy.int32))
        subprocess.run([GUARDBIT, "capture", checkpoint / "stories260K.bin", "--tokens", work / "tokens.npy", "-o",
                        work / "trace", "--quiet"],
                       check=True)
        weights = read_safetensors(work / "trace/weights.safetensors")
        points = bathtub(work / "trace")
        tokens = tokens_of(work / "trace")
    embedding, gamma = weights["model.embed_tokens.weight"], weights["model.layers.0.input_layernorm.weight"]
    for exponent in (-3, 0, 4):
        y, report = guardbit.rms_norm(embedding[tokens].astype(numpy.float16), gamma, input_scale=2.0**exponent,
                                      accelerator=accelerator("edge"))
        assert_is_point(y, report, points[exponent])


def test_codes_threads_and_statistics():
    x, weights = first_norm_input()
    gamma = weights["transformer.h.0.ln_1.weight"]
    values, report = guardbit.layer_norm(x, gamma)
    codes, _ = guardbit.layer_norm(x.view(numpy.uint16), gamma, x_format="fp16", codes=True, threads=1)
    assert report["format"] == "fp16"
    assert_same(codes.view(numpy.float16).astype(numpy.float32), values)
    rows = report["rows"]
    assert {name: array.shape for name, array in rows.items()} == dict.fromkeys(("reciprocal_scale", "sum_of_squares", "mean",
                                                                                 "variance", "inv_std"), (len(x),))
    wide = x.astype(numpy.float64)
    assert numpy.allclose(rows["mean"], wide.mean(axis=1),
                          atol=1e-3)  # that these are the rows' statistics; bits are tested above
    assert numpy.allclose(rows["variance"], wide.var(axis=1), rtol=1e-2, atol=1e-3)
    scaled, report = guardbit.rms_norm(x, gamma, dynamic_scale=True)
    assert (report["rows"]["reciprocal_scale"] <= 1 / abs(wide).max(axis=1)).all()
    assert scaled.shape == x.shape


def test_hadamard_rounds_every_butterfly_as_quantize_does():
    """Sums of two fp8 numbers are exact in binary32, and so is 1/sqrt(64)."""
    random = numpy.random.default_rng(6)
    for format, overflow in (("fp8_e4m3", "saturate"), ("fp8_e5m2", "infinity"), ("e3m2", "infinity")):
        total = dict.fromkeys(("overflow", "underflow", "saturated", "inexact"), 0)

        def rounded(values):
            parts, report = guardbit.quantize(values, format, overflow=overflow, carrier=True)
            for event in total:
                total[event] += report["tensors"][0]["events"][event]
            return parts["values"]

        x = (random.standard_normal((5, 64)) * numpy.exp2(random.integers(-8, 3, (5, 64)))).astype(numpy.float32)
        found, report = guardbit.hadamard(x, format=format)
        y = rounded(x)
        for stage in range(6):
            pairs = y.reshape(5, -1, 2, 2**stage)
            low, high = pairs[:, :, 0], pairs[:, :, 1]
            with numpy.errstate(invalid="ignore"):
                y = rounded(numpy.stack((low + high, low - high), axis=2).reshape(5, 64))
        assert_same(found, rounded(y * numpy.float32(0.125)))
        events = {event: report["events"]["rotate"][event] for event in total}
        assert events == total and total["inexact"] > 0, (format, events, total)


def test_hadamard_undoes_itself_and_counts():
    random = numpy.random.default_rng(5)
    x = random.standard_normal((3, 4, 172)).astype(numpy.float32)
    for size, stride in ((None, 1), (43 * 4, 1), (2, 86), (4, 43), (1, 1)):
        y, report = guardbit.hadamard(x, format="fp32", size=size, stride=stride)
        assert y.shape == x.shape and report["format"] == "fp32"
        if size in (2, 4):
            z, _ = guardbit.hadamard(y, format="fp32", size=size, stride=stride)
            assert numpy.allclose(z, x, atol=1e-5)
    strided, _ = guardbit.hadamard(x, size=4, stride=43)
    runs, _ = guardbit.hadamard(numpy.ascontiguousarray(x.reshape(3, 4, 4, 43).swapaxes(2, 3)).reshape(x.shape), size=4)
    assert_same(strided.reshape(3, 4, 4, 43).swapaxes(2, 3).reshape(x.shape), runs)
    ones = numpy.ones((1, 16), numpy.float16)
    y, report = guardbit.hadamard(ones)
    assert_same(y, numpy.float32([[4] + [0] * 15]))
    assert report["events"] == {}
    codes, report = guardbit.hadamard(numpy.full((1, 16), 30000, numpy.float16), codes=True)
    assert codes.dtype == numpy.uint16 and codes[0, 0] == 0x7C00 and report["events"]["rotate"]["overflow"] > 0


def test_errors():
    x = numpy.ones((2, 8), numpy.float32)
    norm, hadamard = guardbit.layer_norm, guardbit.hadamard
    assert_raises(ValueError, "gamma: got shape (7,); expected (8,)", norm, x, numpy.ones(7))
    assert_raises(ValueError, "beta: got shape (8, 1); expected 1 dimensions", norm, x, None, numpy.ones((8, 1)))
    assert_raises(ValueError, "gamma: got inf at element 0", norm, x, numpy.full(8, numpy.inf))
    assert_raises(ValueError, "x: got shape (); expected 1 to 8 dimensions", norm, numpy.array(1.0))
    assert_raises(ValueError, "input_scale: got 0; expected a finite number above 0", norm, x, input_scale=0)
    assert_raises(ValueError, "input_scale: got 1e+300", norm, x, input_scale=1e300)
    assert_raises(ValueError, "input_scale: got 2 with dynamic_scale; expected 1", norm, x, input_scale=2, dynamic_scale=True)
    assert_raises(ValueError, "epsilon: got -1; expected a finite number of at least 0", norm, x, epsilon=-1)
    assert_raises(ValueError, "epsilon: got nan; expected a finite number", norm, x, epsilon=numpy.nan)
    assert_raises(ValueError, "epsilon: got 1e+300; expected a number that binary32 has", norm, x, epsilon=1e300)
    assert_raises(TypeError, "epsilon: got str; expected a number", norm, x, epsilon="1e-5")
    assert_raises(ValueError, "norm.lanes", norm, x, set={"norm.lanes": 3})
    assert_raises(ValueError, "format: got 'int8'; expected a float format", hadamard, x, format="int8")
    assert_raises(ValueError, "size: got 3 with stride 1; expected size * stride to divide", hadamard, x, size=3)
    assert_raises(ValueError, "size: got 7; expected 2^n", hadamard, numpy.ones((1, 7)), size=7)
    assert_raises(ValueError, "stride: got 0; expected 1..", hadamard, x, stride=0)
