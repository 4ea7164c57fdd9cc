"""quantize and dequantize against `guardbit quantize` and against the golden conversions."""
import gzip

import guardbit
import numpy
from support import (SHARED, Skipped, assert_raises, assert_same, command, folder, read_safetensors, without)

SPECIALS = [0.0, -0.0, 1e-30, -1e-40, 3e38, numpy.inf, -numpy.inf, numpy.nan, 448, 464, 465, 57344, 61440, 0.5, -1.5]


def sample(shape=(6, 37), seed=1):
    """Several binades, and what is special in the first row."""
    random = numpy.random.default_rng(seed)
    x = (random.standard_normal(shape) * numpy.exp2(random.integers(-12, 10, shape))).astype(numpy.float32)
    x.ravel()[:len(SPECIALS)] = SPECIALS
    return x


def finite(x):
    return numpy.where(numpy.isfinite(x), x, numpy.float32(7))


def from_command(x, format, **options):
    """(parts, report) of the command line."""
    with folder() as work:
        numpy.save(work / "x.npy", x)
        words = [f"--{name}" if value is True else f"--{name}={value}" for name, value in options.items()]
        report = command("quantize", work / "x.npy", "--format", format, "--format", "json", "-o", work / "q.safetensors",
                         *words)
        stored = read_safetensors(work / "q.safetensors")
    names = {"tensor": "values" if options.get("carrier") else "codes"}
    return {names.get(name, name.removeprefix("tensor.")): array for name, array in stored.items()}, report


CASES = [
    ("fp8_e4m3", {}), ("fp8_e5m2", {"overflow": "infinity", "rounding": "rtz"}), ("fp16", {"rounding": "rup",
                                                                                           "subnormals": "flush"}),
    ("bf16", {"rounding": "stochastic", "seed": 7}), ("fp8_e4m3", {"scale": "row"}), ("e5m10", {"scale": "pow2"}),
    ("fp4_e2m1", {"scale": "tensor"}), ("e8m23", {}), ("int8", {"scale": "row_pow2"}), ("int4", {"scale": "tensor"}),
    ("uint8", {"scale": "row"}), ("uint16", {}), ("int32", {}), ("mxfp8_e4m3", {}), ("mxfp4_e2m1", {"axis": 0}),
    ("mxint8", {"axis": -1}), ("nvfp4", {"rounding": "stochastic", "seed": 3}),
]


def test_codes_scales_and_reports_are_those_of_the_command_line():
    for format, options in CASES:
        x = sample() if format.startswith(("fp", "e", "bf")) and "scale" not in options else finite(sample())
        parts, report = guardbit.quantize(x, format, **options)
        expected_parts, expected = from_command(x, format, **options)
        assert parts.keys() == expected_parts.keys(), (format, parts.keys(), expected_parts.keys())
        for name, array in parts.items():
            assert_same(array, expected_parts[name])
        assert report["provenance"] == expected["provenance"]
        assert without(report, "input", "output") == without(expected, "input", "output"), format


def test_dequantize_is_what_the_command_line_writes_as_carrier():
    for format, options in CASES[4:]:
        x = finite(sample(seed=2))
        expected, _ = from_command(x, format, carrier=True, **options)
        parts, _ = guardbit.quantize(x, format, **options)
        axis = {"axis": options["axis"]} if "axis" in options else {}
        assert_same(guardbit.dequantize(format=format, **parts, **axis), expected["values"])
        values, _ = guardbit.quantize(x, format, carrier=True, **options)
        assert_same(values["values"], expected["values"])


def read_golden(name):
    path = SHARED / f"vectors/{name}.txt.gz"
    if not path.exists():
        raise Skipped(f"{path}: not there")
    with gzip.open(path, "rt") as lines:
        return numpy.array([[int(word, 16) for word in line.split()] for line in lines if not line.startswith("#")],
                           numpy.uint32)


def assert_codes(found, expected, is_nan, what):
    """Equal codes; NaNs are equal to each other."""
    differ = (found != expected) & ~(is_nan(found) & is_nan(expected))
    assert not differ.any(), f"{what}: {numpy.count_nonzero(differ)} of {len(found)} differ"


def test_golden_fp8_conversions():
    is_nan = {"e4m3": lambda code: (code & 0x7F) == 0x7F, "e5m2": lambda code: (code & 0x7F) > 0x7C}
    for format in ("e4m3", "e5m2"):
        rows = read_golden(f"fp8_{format}_from_fp32")
        x = rows[:, 0].copy().view(numpy.float32)
        for i, rounding in enumerate(("rne", "rtz", "rdn", "rup", "rna")):
            for j, overflow in enumerate(("infinity", "saturate")):
                parts, _ = guardbit.quantize(x, f"fp8_{format}", rounding=rounding, overflow=overflow)
                assert_codes(parts["codes"], rows[:, 1 + 2 * i + j], is_nan[format], (format, rounding, overflow))


def test_golden_half_precision_conversions_and_flags():
    for format, largest in (("f16", 0x7C00), ("bf16", 0x7F80)):
        for rounding in ("RNE", "RTZ", "RDN", "RUP", "RNA"):
            rows = read_golden(f"f32_to_{format}_{rounding}")
            x = rows[:, 0].copy().view(numpy.float32)
            parts, report = guardbit.quantize(x, {"f16": "fp16", "bf16": "bf16"}[format], rounding=rounding.lower(),
                                              overflow="infinity")
            assert_codes(parts["codes"], rows[:, 1], lambda code: (code & 0x7FFF) > largest, (format, rounding))
            events = report["tensors"][0]["events"]
            infinite = numpy.count_nonzero(numpy.isinf(x))
            for name, flag in (("inexact", 1), ("underflow", 2), ("overflow", 4)):
                assert events[name] == numpy.count_nonzero(rows[:, 2] & flag), (format, rounding, name, infinite)


def test_golden_decoding():
    for format in ("e4m3", "e5m2"):
        rows = read_golden(f"fp8_{format}_decode")
        values = guardbit.dequantize(rows[:, 0].astype(numpy.uint8), f"fp8_{format}")
        nan = numpy.isnan(values)
        assert (nan == (rows[:, 1] == 0x7FC00000)).all()
        assert (values.view(numpy.uint32) == rows[:, 1])[~nan].all()


def test_element_types_strides_and_byte_orders_do_not_matter():
    x = numpy.round(finite(sample()).clip(-500, 500) * 4) + numpy.float32(0)  # every type below has these; no -0
    expected, expected_report = guardbit.quantize(x, "fp8_e4m3")
    wide = numpy.zeros((12, 74), numpy.float32)
    wide[::2, ::2] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    unaligned = numpy.frombuffer(b"\0" + x.tobytes(), numpy.uint8)[1:].view(numpy.float32).reshape(x.shape)
    same = [x.astype(numpy.float64), x.astype(numpy.float16), x.astype(numpy.int16), x.astype(numpy.int64), x.astype(">f4"),
            x.astype(">f8"), numpy.asfortranarray(x), wide[::2, ::2], x[::-1, ::-1][::-1, ::-1], read_only, unaligned]
    for array in same:
        before = array.tobytes()
        parts, report = guardbit.quantize(array, "fp8_e4m3")
        assert_same(parts["codes"], expected["codes"])
        assert report == expected_report
        assert array.tobytes() == before
    assert not numpy.shares_memory(expected["codes"], x)


def test_shapes():
    for shape in ((), (1,), (5,), (2, 3, 4), (1,) * 8):
        x = numpy.ones(shape, numpy.float32)
        parts, report = guardbit.quantize(x, "bf16")
        assert_same(parts["codes"], numpy.full(shape, 0x3F80, numpy.uint16))
        assert report["tensors"][0]["shape"] == list(shape)


def test_codes_as_input():
    codes = numpy.arange(256, dtype=numpy.uint8)
    values = guardbit.dequantize(codes, "fp8_e5m2")
    from_codes, _ = guardbit.quantize(codes, "fp16", x_format="fp8_e5m2")
    from_values, _ = guardbit.quantize(values, "fp16")
    assert_same(from_codes["codes"], from_values["codes"])
    as_float, _ = guardbit.quantize(from_codes["codes"], "bf16", x_format="fp16")
    from_half, _ = guardbit.quantize(from_codes["codes"].view(numpy.float16), "bf16")
    assert_same(as_float["codes"], from_half["codes"])


def test_threads_and_seeds():
    x = finite(sample((300, 500)))
    one, report_of_one = guardbit.quantize(x, "fp8_e4m3", rounding="stochastic", seed=1, threads=1)
    three, report_of_three = guardbit.quantize(x, "fp8_e4m3", rounding="stochastic", seed=1, threads=3)
    other, _ = guardbit.quantize(x, "fp8_e4m3", rounding="stochastic", seed=2)
    assert_same(one["codes"], three["codes"])
    assert report_of_one == report_of_three
    assert (one["codes"] != other["codes"]).any()


def test_errors():
    x = sample()
    quantize, dequantize = guardbit.quantize, guardbit.dequantize
    assert_raises(TypeError, "x: got list; expected a numpy.ndarray", quantize, [1.0], "fp16")
    assert_raises(TypeError, "x: got MaskedArray; expected", quantize, numpy.ma.array(x), "fp16")
    for dtype in ("bool", "complex64", "longdouble", "object", "U3", "datetime64[s]", [("a", "f4")]):
        assert_raises(TypeError, "x: got dtype", quantize, numpy.zeros(3, dtype), "fp16")
    assert_raises(TypeError, "x: got dtype uint8; expected floats or signed integers, or x_format", quantize, numpy.zeros(3,
                                                                                                                          numpy.uint8), "fp16")
    assert_raises(TypeError, "x: got dtype uint16; expected uint8, codes of fp8_e4m3", quantize, numpy.zeros(3, numpy.uint16),
                  "fp16", x_format="fp8_e4m3")
    assert_raises(ValueError, "x: got 16 at element 2; expected codes of fp4_e2m1, 0..15", quantize, numpy.array([1, 15, 16],
                                                                                                                 numpy.uint8), "fp16", x_format="fp4_e2m1")
    assert_raises(ValueError, "x_format: got 'int8'; expected a float format", quantize, numpy.zeros(3, numpy.uint8), "fp16",
                  x_format="int8")
    assert_raises(ValueError, "x: got shape (0, 3); expected every dimension at least 1", quantize, numpy.zeros((0, 3)),
                  "fp16")
    assert_raises(ValueError, "x: got shape (1, 1, 1, 1, 1, 1, 1, 1, 1); expected 0 to 8 dimensions", quantize,
                  numpy.zeros((1,) * 9), "fp16")
    assert_raises(ValueError, "at element 1; expected values that binary32 holds exactly", quantize, numpy.array([0.5, 0.1]),
                  "fp16")
    assert_raises(ValueError, "at element 0; expected values that binary32 holds exactly", quantize, numpy.array([2**63 - 1]),
                  "fp16")
    assert_raises(ValueError, "format: got 'fp9'; expected a float format", quantize, x, "fp9")
    assert_raises(ValueError, "rounding: got 'up'; expected rne", quantize, x, "fp16", rounding="up")
    assert_raises(ValueError, "overflow: got ''; expected infinity", quantize, x, "fp16", overflow="")
    assert_raises(ValueError, "subnormals: got 'lose'; expected one of keep, flush", quantize, x, "fp16", subnormals="lose")
    assert_raises(ValueError, "scale: got 'col'; expected one of none", quantize, x, "fp16", scale="col")
    assert_raises(ValueError, "axis: got 0 for fp16; expected a block format", quantize, x, "fp16", axis=0)
    assert_raises(ValueError, "axis: got 2 for tensor", quantize, x, "nvfp4", axis=2)
    assert_raises(ValueError, "format int8: got rounding rtz; expected rne", quantize, x, "int8", rounding="rtz")
    assert_raises(TypeError, "seed: got float; expected int", quantize, x, "fp16", seed=1.5)
    assert_raises(ValueError, "seed: got -1; expected 0..", quantize, x, "fp16", seed=-1)
    assert_raises(ValueError, "threads: got 1025; expected 0..1024", quantize, x, "fp16", threads=1025)
    assert_raises(TypeError, "carrier: got int; expected bool", quantize, x, "fp16", carrier=1)
    assert_raises(TypeError, "format: got NoneType; expected str", quantize, x, None)
    codes = numpy.array([[1, 2], [3, 4]], numpy.uint8)
    assert_raises(TypeError, "codes: got dtype float32; expected an integer type", dequantize, numpy.float32([1]), "int8")
    assert_raises(ValueError, "codes: got 128 at element 0; expected -128..127", dequantize, numpy.array([128]), "int8")
    assert_raises(ValueError, "codes: got -1 at element 0; expected 0..255", dequantize, numpy.array([-1]), "fp8_e4m3")
    assert_raises(ValueError, "scale: got 3 scales; expected none, one or 2", dequantize, codes, "int8", scale=numpy.ones(3,
                                                                                                                          numpy.float32))
    assert_raises(ValueError, "scale: got 0; expected positive", dequantize, codes, "int8", scale=numpy.zeros(2,
                                                                                                              numpy.float32))
    assert_raises(ValueError, "zero_point: got one; expected none", dequantize, codes, "int8", zero_point=codes)
    assert_raises(ValueError, "zero_point: got 4 zero points for 0 scales", dequantize, codes, "uint8", zero_point=codes)
    assert_raises(ValueError, "scale: got shape (); expected (2, 1)", dequantize, codes, "mxfp8_e4m3")
    assert_raises(ValueError, "scale: got 256; expected codes", dequantize, codes, "mxfp8_e4m3",
                  scale=numpy.array([[256], [0]]))
    assert_raises(ValueError, "tensor_scale: got none; expected one number", dequantize, codes, "nvfp4", scale=codes[:, :1])
    assert_raises(ValueError, "tensor_scale: got shape (2,); expected one number", dequantize, codes, "nvfp4", scale=codes[:,
                                                                                                                           :1], tensor_scale=numpy.ones(2))
