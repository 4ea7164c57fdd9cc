"""replay() runs the command line in a process of its own: SystemC elaborates one machine per process, so that only this way a
process can replay more than once, and no library that is loaded here touches the result."""
import os
import subprocess
import warnings

from guardbit import _arguments as check
from guardbit import _guardbit, _tool

_PREFIX = "guardbit: "
_WARNING = _PREFIX + "warning: "


def _tool_path():
    folder = os.path.dirname(os.path.abspath(__file__))
    found = os.path.normpath(os.path.join(folder, _tool.PATH))
    if os.access(found, os.X_OK):
        return found
    raise FileNotFoundError(f"{found}: not there; expected the command line that was built with this module")


def _options(**given):
    """Options that are not None or False, in the command line's spelling."""
    words = []
    for name, value in given.items():
        if value is None or value is False:
            continue
        option = "--" + name.replace("_", "-")
        words += [option] if value is True else [f"{option}={value}"]
    return words


def _positional(path):
    """A path that is no option."""
    return os.path.join(".", path) if path.startswith("-") else path


def _optional(checked, name, value, *limits):
    return None if value is None else checked(name, value, *limits)


def replay(trace, accelerator, *, variants=None, set=None, open_loop=False, values=True, residual_gain=None, channel_gain=None,
           channels=None, windows=None, tokens=None, decode=None, seed=None, stall_seed=None, fidelity=None, slanc_target=None,
           calibration=None, calibration_windows=None, smooth_qkv=False, threads=None, output=None, timeline=None):
    """A trace on an accelerator: the dictionary that `guardbit replay --format json` prints (docs/result.md).

    None leaves the command line's default. Its warnings are Python's (UserWarning).
    """
    arguments = _options(
        accelerator=check.path("accelerator", accelerator),
        variants=None if variants is None else ",".join(check.names("variants", variants)),
        open_loop=check.flag("open_loop", open_loop),
        no_values=not check.flag("values", values),
        residual_gain=_optional(check.real, "residual_gain", residual_gain),
        channel_gain=_optional(check.real, "channel_gain", channel_gain),
        channels=_optional(check.integer, "channels", channels, 0, 2**20),
        windows=_optional(check.integer, "windows", windows, 0, check.LARGEST_NUMBER),
        tokens=_optional(check.integer, "tokens", tokens, 0, check.LARGEST_NUMBER),
        decode=_optional(check.integer, "decode", decode, 0, check.LARGEST_NUMBER),
        seed=_optional(check.integer, "seed", seed, 0, check.LARGEST_NUMBER),
        stall_seed=_optional(check.integer, "stall_seed", stall_seed, 0, check.LARGEST_NUMBER),
        fidelity=_optional(check.text, "fidelity", fidelity),
        slanc_target=_optional(check.real, "slanc_target", slanc_target),
        calibration=_optional(check.path, "calibration", calibration),
        calibration_windows=_optional(check.integer, "calibration_windows", calibration_windows, 0, check.LARGEST_NUMBER),
        smooth_qkv=check.flag("smooth_qkv", smooth_qkv),
        threads=_optional(check.integer, "threads", threads, 0, check.LARGEST_THREADS),
        output=_optional(check.path, "output", output),
        timeline=_optional(check.path, "timeline", timeline))
    arguments += [f"--set={override}" for override in check.overrides(set)]
    command = [_tool_path(), "replay", *arguments, "--format=json", "--quiet", _positional(check.path("trace", trace))]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace")
    said = run.stderr.strip().splitlines()
    for line in said:
        if line.startswith(_WARNING):
            warnings.warn(line.removeprefix(_WARNING), stacklevel=2)
    if run.returncode == 0:
        return _guardbit.parse_json(run.stdout)
    if run.returncode < 0:
        raise RuntimeError(f"replay: ended by signal {-run.returncode}")
    lines = [line.removeprefix(_PREFIX) for line in said if not line.startswith(_WARNING)]
    _guardbit.raise_error(run.returncode, "\n".join(lines))
