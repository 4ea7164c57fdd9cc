"""The module as a whole: its stub, its lists, the host's floating-point state, other threads, the example."""
import ast
import inspect
import json
import os
import subprocess
import sys
import threading
import time

import guardbit
import numpy
from support import SOURCE, assert_raises, assert_same, host_state


def stub_functions():
    """Name -> (arguments in order, names that must be given by keyword, defaults as text) of the stub."""
    tree = ast.parse((SOURCE / "sim/python/guardbit/__init__.pyi").read_text())
    functions = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            every = node.args.args + node.args.kwonlyargs
            assert all(argument.annotation for argument in every) and node.returns, node.name
            defaults = [ast.literal_eval(default) for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]]
            functions[node.name] = ([a.arg for a in node.args.args], [a.arg for a in node.args.kwonlyargs], defaults)
    return functions


def test_stub_and_module_have_the_same_functions_arguments_and_defaults():
    functions = {}
    for name in guardbit.__all__:
        parameters = inspect.signature(getattr(guardbit, name)).parameters.values()
        functions[name] = ([p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD],
                           [p.name for p in parameters if p.kind is p.KEYWORD_ONLY],
                           [p.default for p in parameters if p.default is not p.empty])
        assert getattr(guardbit, name).__doc__, name
    assert functions == stub_functions()
    public = {name for name, value in vars(guardbit).items() if inspect.isfunction(value) and not name.startswith("_")}
    assert public == set(guardbit.__all__)
    assert (SOURCE / "sim/python/guardbit/py.typed").exists()


def test_docs_name_every_function():
    text = (SOURCE / "docs/python.md").read_text()
    for name, (arguments, keywords, _) in stub_functions().items():
        assert f"`{name}(" in text, name
        for argument in arguments + keywords:
            assert argument in text, (name, argument)


def test_the_docs_first_example_prints_what_it_says():
    text = (SOURCE / "docs/python.md").read_text()
    code = [line[4:] for line in text[:text.index("\n## ")].splitlines() if line.startswith("    ")]
    expected = code[-1].split("# ")[1]
    run = subprocess.run([sys.executable, "-c", "\n".join(code)], capture_output=True, text=True)
    assert run.stdout == expected + "\n", (run.stdout, run.stderr)


def test_lists_and_version():
    version = guardbit.version()
    assert version.keys() >= {"version", "commit", "compiler", "build_type", "numerics", "vector_target"}
    assert guardbit.__version__ == version["version"]
    listed = json.loads(subprocess.run([os.environ["GUARDBIT"], "list", "--json"], capture_output=True, check=True).stdout)
    assert listed.pop("schema") == "guardbit-list/1"
    assert len(listed) >= 8
    for topic, rows in listed.items():
        assert getattr(guardbit, topic)() == rows, topic
    rows = {row["name"]: row for row in guardbit.formats() if row["kind"] != "pattern"}
    assert rows["fp8_e4m3"]["max"] == 448 and rows["fp8_e4m3"]["specials"] == "NaN 1..1" and rows["mxfp4_e2m1"]["block_size"] == 32
    for name, row in rows.items():
        parts, _ = guardbit.quantize(numpy.ones((1, 32), numpy.float32), name)
        assert (parts["codes"].dtype.itemsize * 8) >= row["bits"], name


def compute_everything():
    """Results whose inputs and steps have subnormals and roundings."""
    random = numpy.random.default_rng(1)
    tiny = (random.standard_normal((4, 64)) * 2.0**-130).astype(numpy.float32)
    half = random.standard_normal((4, 64)).astype(numpy.float16)
    wide = half.astype(numpy.float32)
    narrow = {"accumulator.format": "fp16"}

    def compute():
        results = []
        for threads in (1, 2):
            parts, _ = guardbit.quantize(tiny, "fp32", threads=threads)
            scaled, report = guardbit.quantize(tiny, "fp8_e4m3", scale="row", threads=threads)
            results += [parts["codes"], scaled["codes"], scaled["scale"], guardbit.dequantize(format="fp8_e4m3", **scaled,
                                                                                              threads=threads), report]
            results += guardbit.gemm(tiny, tiny, transpose_b=True, threads=threads, set={"array.activation": "fp32",
                                                                                         "array.weight": "fp32"})
            results += guardbit.gemm(wide, wide, transpose_b=True, threads=threads, set=narrow)
            y, report = guardbit.layer_norm(half, input_scale=3.0, set={"norm.scale": "exact"}, threads=threads)
            results += [y, report["events"], report["rows"]["inv_std"], *guardbit.hadamard(half, threads=threads)]
        return results
    return compute


def test_the_hosts_floating_point_state_neither_matters_nor_changes():
    compute = compute_everything()
    expected = compute()
    assert numpy.count_nonzero(expected[0]) > 200  # subnormals came through
    for mxcsr in (0x9FC0, 0x5F80, 0x7F80, 0xFFC0):  # flush and zero; upward; toward zero; both
        with host_state(mxcsr) as read:
            before = read()
            found = compute()
            after = read()
        assert before == after == mxcsr & 0xFFC0, (hex(before), hex(after))
        for got, want in zip(found, expected, strict=True):
            if isinstance(want, numpy.ndarray):
                assert_same(got, want)
            else:
                assert got == want, hex(mxcsr)


def test_other_threads_run_during_a_computation():
    a = numpy.random.default_rng(1).standard_normal((256, 512)).astype(numpy.float32)
    done = threading.Event()
    thread = threading.Thread(target=lambda: (guardbit.gemm(a, a, transpose_b=True, threads=1), done.set()))
    interval = sys.getswitchinterval()
    longest, steps = 0.0, 0
    thread.start()
    last = start = time.monotonic()
    while not done.is_set():
        now = time.monotonic()
        longest, steps, last = max(longest, now - last), steps + 1, now
    thread.join()
    total = time.monotonic() - start
    assert total > 20 * interval, "the product is too small for this test"
    assert steps > 1000 and longest < total / 2, (steps, longest, total)


def test_exceptions_are_pythons():
    assert_raises(TypeError, "unexpected keyword argument", guardbit.gemm, 1, 2, precision="fp8")
    assert_raises(ValueError, "scale: got 'bad\\x1B[31m'; expected", guardbit.quantize, numpy.ones(3), "fp16",
                  scale="bad\x1b[31m")
    assert_raises(ValueError, "scale: got '\\udc80'; expected Unicode text", guardbit.quantize, numpy.ones(3), "fp16",
                  scale="\udc80")
    assert_raises(FileNotFoundError, "\\xFF.toml", guardbit.gemm, numpy.ones((1, 1)), numpy.ones((1, 1)),
                  accelerator="\udcff.toml")


def test_the_example_runs():
    script = SOURCE / "sim/python/examples/compare_torch_layer.py"
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert run.returncode == 0, run.stderr
    if run.stdout.startswith("skipped"):
        return
    lines = run.stdout.splitlines()
    linear = [line for line in lines if "->" in line]
    assert lines[0].startswith("torch.nn.Linear") and len(linear) == 5 and all(" dB   events: " in line for line in linear), run.stdout
    quality = [float(line.split(" dB")[0].split()[-1]) for line in linear]
    assert quality[0] > quality[1] > quality[3] > 10, run.stdout  # wide sums, narrow sums, narrow operands
