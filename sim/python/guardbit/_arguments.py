"""Checks of arguments: one TypeError or ValueError "<name>: got <found>; expected <what>", before anything is computed."""
import math
import operator
import os
from collections.abc import Mapping, Sequence

LARGEST_NUMBER = 2**63 - 1
LARGEST_THREADS = 1024


def text(name, value):
    """A string."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: got {type(value).__name__}; expected str")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name}: got {value!a}; expected Unicode text") from None
    return value


def optional_text(name, value):
    """A string or None."""
    return None if value is None else text(name, value)


def flag(name, value):
    """True or False."""
    if isinstance(value, bool):
        return value
    raise TypeError(f"{name}: got {type(value).__name__}; expected bool")


def integer(name, value, low, high):
    """A whole number in low..high; a bool is none."""
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: got {type(value).__name__}; expected int") from None
    if low <= number <= high:
        return number
    raise ValueError(f"{name}: got {number}; expected {low}..{high}")


def real(name, value):
    """A finite number."""
    try:
        if isinstance(value, (bool, str, bytes)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: got {type(value).__name__}; expected a number") from None
    if math.isfinite(number):
        return number
    raise ValueError(f"{name}: got {number}; expected a finite number")


def path(name, value):
    """A file's or directory's path as text; None is ""."""
    if value is None:
        return ""
    try:
        found = os.fspath(value)
    except TypeError:
        found = None
    if not isinstance(found, str):
        raise TypeError(f"{name}: got {type(value).__name__}; expected str or os.PathLike of str")
    if not found or "\0" in found:
        raise ValueError(f"{name}: got {found!r}; expected a path")
    return found


def names(name, value):
    """A list of strings from one string or a sequence of them."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Sequence):
        raise TypeError(f"{name}: got {type(value).__name__}; expected str or a sequence of str")
    return [text(name, item) for item in value]


def overrides(value):
    """"section.key=value" texts of the mapping `set`; values as a TOML file has them."""
    if value is None:
        return []
    if not isinstance(value, Mapping):
        raise TypeError(f"set: got {type(value).__name__}; expected a mapping of keys to values")
    texts = []
    for key, found in value.items():
        if not isinstance(found, (str, bool, int, float)):
            raise TypeError(f"set: {text('set', key)}: got {type(found).__name__}; expected str, bool, int or float")
        texts.append(f"{text('set', key)}={str(found).lower() if isinstance(found, bool) else found}")
    return texts


def seed(value):
    return integer("seed", value, 0, LARGEST_NUMBER)


def threads(value):
    return integer("threads", value, 0, LARGEST_THREADS)
