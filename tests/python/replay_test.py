"""replay against `guardbit replay`."""
import threading
import warnings

import guardbit
import numpy
from support import GUARDBIT, TRACE, accelerator, assert_raises, command, folder

EDGE = accelerator("edge")
SHORT = {"windows": 1, "tokens": 8}


def from_command(*arguments):
    return command("replay", TRACE, "--accelerator", EDGE, "--windows=1", "--tokens=8", "--format=json", "--quiet",
                   *arguments)


def test_the_dictionary_is_the_command_lines_and_replay_works_again_and_again():
    assert guardbit.replay(TRACE, EDGE, variants="none,slanc", **SHORT) == from_command("--variants=none,slanc")
    found = guardbit.replay(str(TRACE), EDGE, variants=["none", "rrs(qkv)+w4a4"], set={"norm.accumulator.format": "e6m9",
                                                                                       "norm.lanes": 32},
                            residual_gain=64, seed=3, open_loop=True, threads=1, **SHORT)
    expected = from_command("--variants=none,rrs(qkv)+w4a4", "--set=norm.accumulator.format=e6m9", "--set=norm.lanes=32",
                            "--residual-gain=64.0",
                            "--seed=3", "--open-loop")
    assert found == expected
    assert guardbit.replay(TRACE, EDGE, values=False, fidelity="tile", stall_seed=0, variants="none",
                           **SHORT) == from_command(
        "--no-values", "--fidelity=tile", "--stall-seed=0", "--variants=none")


def test_numpy_numbers_and_every_other_option_are_taken():
    with folder() as work:
        numpy.save(work / "tokens.npy", numpy.arange(64, 96, dtype=numpy.int32))
        result = guardbit.replay(TRACE, EDGE, variants="slanc", windows=numpy.int64(1), tokens=8, decode=2,
                                 channel_gain=numpy.float32(2), channels=1,
                                 slanc_target=2, smooth_qkv=True, calibration=work / "tokens.npy", output=work / "out", timeline=work / "time line.json")
        assert result["variants"][0]["name"] == "slanc"
        assert (work / "out/result.json").exists() and (work / "time line.json").exists()


def test_what_the_command_line_warns_of_is_a_warning():
    with folder() as work, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        numpy.save(work / "tokens.npy", numpy.arange(64, 96, dtype=numpy.int32))
        result = guardbit.replay(TRACE, EDGE, variants="gptq", calibration=work / "tokens.npy", calibration_windows=2, **SHORT)
        guardbit.replay(TRACE, EDGE, variants="none", values=False, windows=100)
        assert_raises(ValueError, "no method", guardbit.replay, TRACE, EDGE, variants="turbo", windows=100)
    assert result["provenance"]["calibration_windows"] == "1"
    assert [(warning.category, str(warning.message)) for warning in caught[:2]] == [
        (UserWarning, "--calibration-windows: got 2; tokens.npy has 1, all of which are used"),
        (UserWarning, "--windows: got 100; kjv-gpt2 has 8, all of which are replayed")]
    assert all(warning.filename == __file__ for warning in caught[:2])


def test_several_threads_may_replay_at_once():
    results = []
    threads = [threading.Thread(target=lambda: results.append(guardbit.replay(TRACE, EDGE, variants="none", threads=1,
                                                                              **SHORT))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2 and results[0] == results[1]


def test_errors():
    replay = guardbit.replay
    assert_raises(FileNotFoundError, "nowhere", replay, "nowhere", EDGE)
    assert_raises(FileNotFoundError, "nowhere.toml", replay, TRACE, "nowhere.toml")
    assert_raises(ValueError, "set: norm.lane: unknown key; did you mean norm.lanes?", replay, TRACE, EDGE,
                  set={"norm.lane": 1})
    assert_raises(ValueError, "turbo", replay, TRACE, EDGE, variants="turbo", windows=1)
    assert_raises(ValueError, "no_values: got open_loop as well", replay, TRACE, EDGE, values=False, open_loop=True)
    assert_raises(ValueError, "fidelity", replay, TRACE, EDGE, fidelity="rtl")
    assert_raises(ValueError, "windows: got -1; expected 0..", replay, TRACE, EDGE, windows=-1)
    assert_raises(TypeError, "variants: got int; expected str or a sequence of str", replay, TRACE, EDGE, variants=3)
    assert_raises(TypeError, "variants: got int; expected str", replay, TRACE, EDGE, variants=[3])
    assert_raises(ValueError, "trace: got 'a\\x00b'; expected a path", replay, "a\0b", EDGE)
    assert_raises(ValueError, "residual_gain: got inf; expected a finite number", replay, TRACE, EDGE,
                  residual_gain=numpy.inf)
    with folder() as work:
        (work / "trace.json").write_text("{")
        assert_raises(ValueError, "trace.json", replay, work, EDGE)
        output = work / "trace.json/out"  # below a file
        assert_raises(OSError, "trace.json", replay, TRACE, EDGE, variants="none", values=False, output=output, **SHORT)


def test_a_name_that_begins_with_a_dash_is_a_name():
    assert_raises(FileNotFoundError, "./--help", guardbit.replay, "--help", EDGE)


def test_the_tool_is_the_one_under_test():
    import guardbit._replay
    import os
    assert os.path.samefile(guardbit._replay._tool_path(), GUARDBIT)
