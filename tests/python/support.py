"""What the tests of the Python module share. GUARDBIT is the command line, PYTHONPATH has the module (tests/python.cmake)."""
import ctypes
import json
import os
import pathlib
import subprocess
import tempfile
import unittest
from contextlib import contextmanager

import numpy

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SHARED = SOURCE.parent / "shared"
TRACE = SOURCE / "traces/kjv-gpt2"
GUARDBIT = os.environ["GUARDBIT"]


Skipped = unittest.SkipTest  # a test whose data or software is not there; pytest knows it, too


def accelerator(name):
    return SOURCE / f"configs/accelerators/{name}.toml"


def command(*arguments):
    """The JSON that `guardbit ARGUMENTS` prints."""
    run = subprocess.run([GUARDBIT, *map(str, arguments)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@contextmanager
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield pathlib.Path(name)


def assert_raises(kind, text, function, *arguments, **options):
    """The exception, of exactly that class, has `text` in its message."""
    try:
        function(*arguments, **options)
    except Exception as error:
        assert type(error) is kind and text in str(error), f"got {type(error).__name__}: {error}; expected {kind.__name__}: {text}"
        return
    raise AssertionError(f"no exception; expected {kind.__name__}: {text}")


def assert_same(found, expected):
    """Arrays of the same type, shape and bits."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape), (found.dtype, found.shape, expected.dtype,
                                                                            expected.shape)
    assert found.tobytes() == expected.tobytes(), f"{numpy.count_nonzero(found != expected)} elements differ"


def without(report, *keys):
    return {key: value for key, value in report.items() if key not in keys}


def read_safetensors(path):
    """Name -> float32 array."""
    data = path.read_bytes()
    header_bytes = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + header_bytes])
    tensors = {}
    for name, info in header.items():
        if name == "__metadata__":
            continue
        kind = {"F32": "<f4", "F16": "<f2", "U8": "|u1", "I8": "|i1", "U16": "<u2", "I16": "<i2", "U32": "<u4",
                "I32": "<i4"}[info["dtype"]]
        begin, end = (8 + header_bytes + offset for offset in info["data_offsets"])
        tensors[name] = numpy.frombuffer(data[begin:end], kind).reshape(info["shape"])
    return tensors


@contextmanager
def host_state(mxcsr):
    """SSE's control register as a host program may have left it; yields a function that reads it."""
    libm = ctypes.CDLL("libm.so.6")
    offset = 28  # of MXCSR in glibc's fenv_t on x86-64

    def read():
        environment = ctypes.create_string_buffer(32)
        libm.fegetenv(environment)
        return environment

    before = read()
    changed = read()
    changed[offset:offset + 4] = mxcsr.to_bytes(4, "little")
    libm.fesetenv(changed)
    try:
        yield lambda: int.from_bytes(read()[offset:offset + 4], "little") & 0xFFC0  # without the sticky flags
    finally:
        libm.fesetenv(before)
