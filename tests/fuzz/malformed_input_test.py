#!/usr/bin/env python3
"""Named malformed inputs: every row of malformed_inputs.py through the guardbit binary, every file of the corpus through
its fuzz target, and every id of the design's list through some test.

  malformed_input_test.py GUARDBIT REPLAY_CORPUS SOURCE            run everything
  malformed_input_test.py GUARDBIT REPLAY_CORPUS SOURCE --corpus DIR   only write the corpus, as seeds for fuzzing
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import malformed_inputs
from corpus_writer import write_corpus
from input_policy import run_policy_cases
from work_directory import WorkDirectory


PARTIAL = 75  # a damaged point is one of many


def run_cases(work, corpus):
    """One message for every row that does not end as it says."""
    problems = []
    before = {entry.name for entry in work.path.iterdir()}
    for case in malformed_inputs.CASES:
        command = malformed_inputs.COMMANDS[case.command](work, corpus / case.file)
        done = subprocess.run([work.guardbit, *command], cwd=work.path, capture_output=True, timeout=60, check=False)
        said = done.stderr.decode("utf-8", "backslashreplace")
        shown = f"{case.file}: guardbit {' '.join(command)[:200]}"
        if done.returncode != case.exit_code:
            problems.append(f"{shown}\n  exit {done.returncode}, expected {case.exit_code}: {said}")
        elif case.message not in said:
            problems.append(f"{shown}\n  said: {said}  expected: {case.message}")
        elif case.exit_code != PARTIAL and done.stdout:
            problems.append(f"{shown}\n  wrote to standard output")
        elif re.search("[\x00-\x09\x0b-\x1f\x7f]", said):
            problems.append(f"{shown}\n  a control character reaches the terminal: {said!r}")
        for entry in {entry.name for entry in work.path.iterdir()} - before - malformed_inputs.PLACES:
            problems.append(f"{shown}\n  left {entry} behind")
            before.add(entry)
    return problems


def check_ids(source):
    """Ids of the design's list without a test, and tests that are not where the table says."""
    tested = {case.id for case in malformed_inputs.CASES}
    problems = []
    for name, places in malformed_inputs.ELSEWHERE.items():
        file, text = places
        if text not in (source / file).read_text(encoding="utf-8"):
            problems.append(f"{name}: {file} does not hold '{text}'")
        tested.add(name)
    tested |= set(malformed_inputs.NOT_HERE)
    wanted = malformed_inputs.design_ids()
    problems += [f"{name}: no test" for name in sorted(wanted - tested)]
    design = source / "../shared/design/robustness.md"
    if design.exists():
        listed = set(re.findall(r"\b(?:GEN|ST|PATH|IDX|TR|NPY|NPZ|OX|GG|CFG|DV)-\d\d\b", design.read_text(encoding="utf-8")))
        problems += [f"{name}: not in design_ids()" for name in sorted(listed - wanted)]
    return problems


def check_files(corpus):
    """Files of the corpus that no test gives to guardbit."""
    used = {case.file for case in malformed_inputs.CASES}
    files = {str(file.relative_to(corpus)) for file in corpus.glob("*/*")}
    seeds = {file for file in files if any(re.fullmatch(p, file) for p in malformed_inputs.SEEDS_ONLY)}
    return [f"{file}: in no table" for file in sorted(files - used - seeds)] + [
        f"{file}: not in the corpus" for file in sorted(used - files)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("guardbit", type=os.path.abspath)
    parser.add_argument("replay_corpus", type=os.path.abspath)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--corpus", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="guardbit-corpus-") as scratch:
        work = WorkDirectory(arguments.guardbit, arguments.source, pathlib.Path(scratch) / "work")
        corpus = arguments.corpus or pathlib.Path(scratch) / "corpus"
        write_corpus(work, arguments.replay_corpus, corpus)
        if arguments.corpus:
            return 0
        problems = run_cases(work, corpus) + run_policy_cases(work) + check_ids(arguments.source) + check_files(corpus)
        replayed = subprocess.run([arguments.replay_corpus, corpus], capture_output=True, text=True, check=False)
        if replayed.returncode != 0:
            problems.append(f"replay_corpus: exit {replayed.returncode}: {replayed.stdout}{replayed.stderr}")
    print(f"{len(malformed_inputs.CASES)} cases, {len({case.id for case in malformed_inputs.CASES})} ids")
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
