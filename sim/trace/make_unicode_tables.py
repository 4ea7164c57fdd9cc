#!/usr/bin/env python3
"""Prints sim/trace/unicode_tables.cpp: the ranges of code points that sim/trace/unicode.h tells apart.

    python3 sim/trace/make_unicode_tables.py > sim/trace/unicode_tables.cpp

Source: Python's unicodedata, whose version of Unicode depends on Python's. The ctest unicode_tables compares the file
with what this prints where the versions agree.
"""
import sys
import unicodedata

MAX = 0x110000


def ranges(predicate):
    """Closed ranges of code points for which predicate holds."""
    result = []
    for point in range(MAX):
        if 0xD800 <= point <= 0xDFFF or not predicate(chr(point)):
            continue
        if result and result[-1][1] == point - 1:
            result[-1][1] = point
        else:
            result.append([point, point])
    return result


def second_of_compositions():
    """Characters that may combine with the one before them."""
    seconds = {chr(point) for point in list(range(0x1161, 0x1176)) + list(range(0x11A8, 0x11C3))}  # Hangul
    for point in range(MAX):
        parts = unicodedata.decomposition(chr(point)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            seconds.add(chr(int(parts[1], 16)))
    return seconds


def table(name, comment, rows):
    per_line = 6
    print(f"// {comment}")
    print(f"constexpr CodePointRange k_{name}[] = {{")
    for i in range(0, len(rows), per_line):
        print("    " + ", ".join(f"{{0x{low:04X}, 0x{high:04X}}}" for low, high in rows[i:i + per_line]) + ",")
    print("};")
    print(f"std::span<const CodePointRange> {name}() {{ return k_{name}; }}\n")


def main():
    seconds = second_of_compositions()

    def unstable(c):
        return bool(unicodedata.combining(c)) or c in seconds or not unicodedata.is_normalized("NFC", c)

    tables = [
        ("letters", "General category L.", ranges(lambda c: unicodedata.category(c)[0] == "L")),
        ("numbers", "General category N.", ranges(lambda c: unicodedata.category(c)[0] == "N")),
        ("unstable", "May change under normalisation to NFC, by itself or with its neighbours.", ranges(unstable)),
    ]
    print("// Made by sim/trace/make_unicode_tables.py; do not edit.")
    print(f"// Unicode {unicodedata.unidata_version}.")
    print('#include "sim/trace/unicode.h"\n')
    print("// clang-format off")
    print("namespace guardbit::sim::unicode_tables {\n")
    for name, comment, rows in tables:
        table(name, comment, rows)
    print("}  // namespace guardbit::sim::unicode_tables")
    print("// clang-format on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
