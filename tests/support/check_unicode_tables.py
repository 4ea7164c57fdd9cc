#!/usr/bin/env python3
"""Fails if sim/trace/unicode_tables.cpp is not what its generator prints. Exit 77 with another version of Unicode.

Usage: check_unicode_tables.py SOURCE_DIR
"""
import pathlib
import subprocess
import sys
import unicodedata

SKIPPED = 77


def main(source):
    folder = pathlib.Path(source) / "sim/trace"
    stored = (folder / "unicode_tables.cpp").read_text()
    if f"// Unicode {unicodedata.unidata_version}.\n" not in stored:
        print(f"skipped: this Python has Unicode {unicodedata.unidata_version}, the tables have another version")
        return SKIPPED
    made = subprocess.run([sys.executable, str(folder / "make_unicode_tables.py")], check=True, capture_output=True)
    if made.stdout.decode() == stored:
        return 0
    print("sim/trace/unicode_tables.cpp differs from what sim/trace/make_unicode_tables.py prints")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
