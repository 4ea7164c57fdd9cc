#!/usr/bin/env python3
"""Every command of the documentation and every example of a --help runs, in the order of the pages, in a scratch directory.

Usage: commands_test.py BINARY SOURCE [--full]

The quick tier shortens replays (scratch.py); --full runs the commands as they are. A command that neither can run stands in
NOT_RUN with the reason; its verb and options are checked all the same."""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import blocks
import scratch

PAGES = ['README.md', 'CONTRIBUTING.md', 'docs/README.md', 'docs/reading.md', 'docs/verbs.md', 'docs/models.md', 'docs/calibration.md',
         'docs/calibration_methods.md', 'docs/numerics.md', 'docs/timing.md', 'docs/energy.md', 'docs/result.md', 'docs/report.md',
         'docs/regression.md', 'docs/sweeps.md', 'docs/cluster.md', 'docs/known_truths.md', 'docs/results.md', 'docs/library.md',
         'docs/architecture.md', 'docs/speed.md', 'docs/terminal.md', 'docs/exit_codes.md', 'docs/python.md',
         'docs/robustness.md', 'configs/README.md', 'traces/README.md',
         'traces/capture/README.md']

# (page or '' for any, command as a regular expression, why it is not run)
NOT_RUN = [
    ('', r'\./quickstart$', 'installs packages and builds the tree that this test is a part of'),
    ('', r'\./run-tests', 'runs this test'),
    ('CONTRIBUTING.md', r'tests/browser/setup\.sh', 'downloads a browser and npm packages'),
    ('CONTRIBUTING.md', r'sim/report/html/build\.sh', 'needs npm; tests/browser/asset_test.sh runs it where that is'),
    ('CONTRIBUTING.md', r'clang-format -i', 'changes the source tree; House.SourcesAreFormatted'),
    ('docs/speed.md', r'(export OPENBLAS|build/release/guardbit_bench)', 'measures for minutes on an idle machine; House.SpeedTableIsTheBenchmarks'),
    ('docs/library.md', r'cmake --install', 'Consumer.BuildsAgainstAnInstalledGuardbit runs it'),
    ('docs/cluster.md', r'guardbit sweep (submit|status|gather|plan) /shared|guardbit sweep plan mine', 'needs a cluster; slurm_test'),
    ('docs/cluster.md', r'(apt-get|tests/support/slurm_lab\.sh|export SLURM_CONF|squeue|kill|scancel|guardbit sweep submit)',
     'needs Slurm and root; slurm_test'),
    ('', r'guardbit sweep submit out/formats --slurm --shards 16 --jobs 4', 'needs a cluster; slurm_test'),
    ('docs/results.md', r'', 'an hour of CPU time; docs/make_results.py runs exactly these'),
    ('docs/python.md', r'cmake --install', 'Consumer.BuildsAgainstAnInstalledGuardbit runs it'),
    ('', r'PYTHONPATH=', 'python.module runs the example and what a session does'),
    ('docs/robustness.md', r'tests/determinism/matrix\.py', 'builds four trees; hard.DeterminismMatrix'),
    ('docs/robustness.md', r'(apt-get|cmake --preset fuzz|tests/fuzz/fuzz\.sh)', 'needs clang and hours'),
    ('docs/robustness.md', r'.*malformed_input_test\.py', 'Fuzz.EveryMalformedInputHasItsErrorAndExitCode'),
    ('traces/capture/README.md', r'', 'needs torch; exporter.torch runs the example and replays what it writes'),
]

# Run as they are in the full tier only: (page, command, why)
FULL = [
    ('', r'tests/support/random_gpt2\.py|.*capture model |.*replay trace ', 'writes and reads a model of half a gigabyte'),
    ('', r'.*--wave-window 500000:620000', 'records 120,000 cycles of a long replay'),
    ('', r'.*--no-values --fidelity pe', 'steps the PEs through 256 tokens: a minute'),
    ('', r'.*gptq', 'calibrates on 128 windows: 15 s'),
    ('', r'.*bathtub .*--to 20', '25 scales of every norm'),
    ('docs/sweeps.md', r'guardbit sweep search', 'search --help has a shorter one'),
]

# Exit codes other than 0: (command, the codes). A gate of a shortened replay may pass or fail.
STATUS = [
    (r'.*--fail-on', {0, 1}),
    (r'guardbit compare out/before out/after', {1}),
]


def matching(table, command):
    for page, pattern, reason in table:
        if page in ('', command.page) and re.match(pattern, command.text):
            return reason
    return None


class Help:
    """What --help of every verb says."""

    def __init__(self, binary):
        self.binary, self.texts = binary, {}

    def text(self, verb):
        if verb not in self.texts:
            self.texts[verb] = subprocess.run([self.binary, *verb.split(), '--help'], text=True, capture_output=True).stdout
        return self.texts[verb]

    def verbs(self, verb=''):
        """Names below a verb, as its help lists them."""
        found = re.search(r'Subcommands:\n((?:  .*\n)+)', self.text(verb))
        return re.findall(r'^  (\w+)', found.group(1), re.M) if found else []

    def all_verbs(self, verb=''):
        result = [verb]
        for name in self.verbs(verb):
            result += self.all_verbs(f'{verb} {name}'.strip())
        return result

    def options(self, verb):
        return set(re.findall(r'(?<![\w-])--?[a-z][\w-]*', self.text(verb).split('\nExample')[0]))

    def examples(self, verb):
        found = re.search(r'\nExamples?:\n((?:  .*\n?)+)', self.text(verb))
        if not found:
            return []
        return [line.strip() for line in re.sub(r' *\\\n *', ' ', found.group(1)).splitlines()]

    def problem(self, command):
        """What is wrong with the verb or the options of a command line of guardbit, or None."""
        words = shlex.split(command)
        words = words[1:words.index('|')] if '|' in words else words[1:]
        verb = ''
        while words and words[0] in self.verbs(verb):
            verb = f'{verb} {words.pop(0)}'.strip()
        if not verb and not (words and words[0] in ('--help', '--version')):
            return f'no verb {words[:1]}'
        if self.verbs(verb) and words and not words[0].startswith('-'):
            return f'{verb} has no verb {words[0]}'
        if verb == 'sweep submit':  # the rest goes to sbatch
            return None
        for word in words:
            if word in ('>', '&&', ';', '||', '2>&1'):
                break
            name = word.split('=')[0]
            if re.match(r'--?[a-z]', name) and name not in self.options(verb):
                return f'guardbit {verb} has no option {name}'
        return None


class CommandsTest(unittest.TestCase):
    binary = source = None
    full = False

    @classmethod
    def setUpClass(cls):
        cls.help = Help(cls.binary)
        cls.commands = []
        for page in PAGES:
            cls.commands += blocks.commands_of(page, (cls.source / page).read_text())
        for verb in cls.help.all_verbs():
            name = f'guardbit {verb}'.strip()
            cls.commands += [blocks.Command(f'{name} --help', i, text) for i, text in enumerate(cls.help.examples(verb), 1)]

    def test_every_page_is_read(self):
        pages = {str(path.relative_to(self.source)) for path in (self.source / 'docs').glob('*.md')}
        self.assertEqual(pages - set(PAGES), set(), 'pages whose commands nobody runs')
        self.assertGreater(len(self.commands), 100)

    def test_no_block_of_commands_is_taken_for_text(self):
        """A line of any other block does not begin with a program, of this machine or of this tree; columns of tables may."""
        for page in PAGES:
            for first, lines in blocks.code_blocks((self.source / page).read_text()):
                if any(blocks.is_command(line) for line in lines):
                    continue
                for line in lines:
                    word = re.match(r'(\S+)(?!\S)(?!  )', line)
                    is_program = word and (shutil.which(word.group(1)) or os.access(self.source / word.group(1), os.X_OK) and
                                           (self.source / word.group(1)).is_file())
                    self.assertFalse(is_program, f'{page}:{first}: "{line}": blocks.py does not know that {word and word.group(1)} is a program')

    def test_every_help_has_an_example(self):
        for verb in self.help.all_verbs():
            self.assertTrue(self.help.examples(verb), f'guardbit {verb} --help has no example')

    def test_rows_of_the_tables_are_used(self):
        for table in (NOT_RUN, FULL):
            for row in table:
                self.assertTrue(any(matching([row], command) for command in self.commands), f'{row}: no such command')

    def test_verbs_and_options_exist(self):
        for command in self.commands:
            text = re.sub(r'^(.*\| *)?(xargs .*? )?(build/release/)?(?=guardbit )', '', command.text)
            if text.startswith('guardbit '):
                self.assertIsNone(self.help.problem(text), str(command))

    def test_commands_run(self):
        with tempfile.TemporaryDirectory() as directory:
            at = scratch.Scratch(directory, self.binary, self.source, short=not self.full)
            failures, num_run = [], 0
            for command in self.commands:
                if command.text in at.cpu_seconds or matching(NOT_RUN, command) or (not self.full and matching(FULL, command)):
                    continue
                status, said = at.run(command.text)
                num_run += 1
                expected = next((codes for pattern, codes in STATUS if re.match(pattern, command.text)), {0})
                if status not in expected:
                    failures.append(f'{command}\n  exit {status}; expected {expected}: {said[-600:]}')
            total = sum(at.cpu_seconds.values())
            slowest = sorted(at.cpu_seconds.items(), key=lambda item: -item[1])[:8]
            print(f'{num_run} of {len(self.commands)} commands, {total:.1f} s of CPU time; the slowest:')
            for text, seconds in slowest:
                print(f'  {seconds:6.2f} s  {text[:150]}')
            self.assertEqual(failures, [], '\n' + '\n'.join(failures))


if __name__ == '__main__':
    CommandsTest.binary = sys.argv[1]
    CommandsTest.source = Path(sys.argv[2]).resolve()
    CommandsTest.full = '--full' in sys.argv[3:]
    unittest.main(argv=sys.argv[:1], verbosity=2)
