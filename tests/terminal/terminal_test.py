#!/usr/bin/env python3
"""What guardbit says to a terminal and what to a pipe: colour, progress, --quiet and --verbose, suggestions, origins of values,
manual page and completions. Usage: terminal_test.py BINARY SOURCE"""
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

OVERFLOWS = ['gemm', '1', '1', '8', '--a', 'constant:1000', '--b', 'constant:1000', '--set', 'accumulator.format=fp16']


def environment(**changes):
    result = dict(os.environ, TERM='xterm', LC_ALL='C.UTF-8')
    result.pop('NO_COLOR', None)
    result.update(changes)
    return result


def on_terminal(words, descriptor, env=None, directory=None):
    """(exit status, what arrives at the terminal) with one of stdout (1) and stderr (2) on a terminal, the other dropped."""
    ours, theirs = pty.openpty()
    streams = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}
    streams['stdout' if descriptor == 1 else 'stderr'] = theirs
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, env=env or environment(), cwd=directory, **streams)
    os.close(theirs)
    said = b''
    while True:
        ready, _, _ = select.select([ours], [], [], 0.05)
        if ready:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the last user has gone
                break
            if not part:
                break
            said += part
        elif child.poll() is not None:
            break
    os.close(ours)
    return child.wait(), said.decode(errors='replace').replace('\r\n', '\n')


class TerminalTest(unittest.TestCase):
    binary = source = None

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.at = Path(cls.directory.name)
        cls.edge = str(cls.source / 'configs/accelerators/edge.toml')
        cls.trace = str(cls.source / 'traces/kjv-gpt2')

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def run_tool(self, *words):
        return subprocess.run([self.binary, *words], text=True, capture_output=True, env=environment(), cwd=self.at)

    def terminal(self, words, descriptor, **changes):
        return on_terminal([self.binary, *words], descriptor, environment(**changes), self.at)[1]

    # Colour

    def test_tables_have_colour_on_a_terminal_alone(self):
        plain = self.run_tool(*OVERFLOWS).stdout
        self.assertNotIn('\x1b', plain)
        seen = self.terminal(OVERFLOWS, 1)
        self.assertRegex(seen, r'\n\x1b\[1mevents +overflow.*\x1b\[0m\n')
        self.assertRegex(seen, r'\ninner_accumulator +\x1b\[31m[1-9]\d*\x1b\[0m ')
        self.assertNotRegex(seen, r'\x1b\[31m0\x1b')
        self.assertEqual(re.sub(r'\x1b\[[\d;]*m', '', seen), plain, 'colour changes nothing else')
        for change in ({'NO_COLOR': '1'}, {'TERM': 'dumb'}, {'TERM': ''}):
            self.assertEqual(self.terminal(OVERFLOWS, 1, **change), plain, change)
        self.assertEqual(self.terminal(OVERFLOWS, 1, NO_COLOR=''), seen, 'an empty NO_COLOR is none')

    def test_programs_formats_have_no_colour(self):
        for report in ('json',):
            self.assertNotIn('\x1b', self.terminal([*OVERFLOWS, '--format', report], 1))
        self.assertNotIn('\x1b', self.terminal(['list', '--json'], 1))

    def test_errors_are_red_on_a_terminal_alone(self):
        self.assertTrue(self.terminal(['reply'], 2).startswith('\x1b[1;31mguardbit:\x1b[0m reply: unknown verb'))
        self.assertTrue(self.terminal(['reply'], 2, NO_COLOR='1').startswith('guardbit: reply'))
        self.assertTrue(self.run_tool('reply').stderr.startswith('guardbit: reply'))

    # Progress

    def long_work(self):
        """(words, unit, phase) of everything that can take long; short here."""
        at = self.at
        if not (at / 'sweep').exists():
            (at / 'sweep.toml').write_text(
                f'schema = "guardbit-sweep/1"\nname = "s"\naccelerator = "{self.edge}"\ntrace = "{self.trace}"\n'
                '[replay]\nwindows = 1\ntokens = 4\n[axes]\nvariant = ["none", "rs"]\n')
            self.assertEqual(self.run_tool('sweep', 'plan', 'sweep.toml', '-o', 'sweep').returncode, 0)
            (at / 'suite.toml').write_text('schema = "guardbit-suite/1"\n' + ''.join(
                f'[[gemm]]\nname = "g{i}"\nm = 4\nn = 4\nk = 8\n' for i in range(2)))
            self.assertEqual(self.run_tool('regress', 'record', 'suite.toml', '-o', 'golden').returncode, 0)
            # One fp32 row of a .npy, and one vector: 1 + 1 = 2 in fp16
            header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n"
            (at / 'x.npy').write_bytes(b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little') + header + b'\x00\x00\x80?' * 2)
            (at / 'f16_add_RNE.txt').write_text('3C00 3C00 4000\n')
        shutil.rmtree(at / 'search', ignore_errors=True)
        short = ['-a', self.edge, '--windows', '1']
        return [
            (['replay', self.trace, *short, '--tokens', '4', '--variants', 'none'], 'ops', 'none: simulate'),
            (['bathtub', self.trace, '-a', self.edge, '--windows', '2', '--from', '0', '--to', '0'], 'windows', 'norms'),
            (['gemm', '64', '8', '16'], 'parts', 'exact sums'),
            (['quantize', 'x.npy', '--format', 'fp8_e4m3', '-o', 'q.npy'], 'tensors', 'x.npy'),
            (['conform', 'f16_add_RNE.txt'], 'files', 'conform'),
            (['sweep', 'run', 'sweep', '--recheck'], 'points', 's'),
            (['sweep', 'status', 'sweep'], 'points', 's'),
            (['sweep', 'gather', 'sweep', '-o', 'sweep.db'], 'points', 's'),
            (['report', 'sweep.db', '-o', 'sweep.html'], 'pages', 'sweep.html'),
            (['sweep', 'search', 'sweep.toml', '-o', 'search', '--x', 'cycles', '--y', 'sqnr_db', '--tokens', '2,4'], 'points', 's'),
            (['regress', 'record', 'suite.toml', '-o', 'golden'], 'cases', 'record'),
            (['regress', 'check', 'suite.toml', '--golden', 'golden'], 'cases', 'check'),
        ]

    def test_long_work_has_a_bar_with_rate_and_time_left(self):
        for words, unit, _ in self.long_work():
            said = self.terminal(words, 2)
            self.assertRegex(said, rf'\r\x1b\[K\[#*\.*\] \d+/\d+ {unit}, .*\(\S+ {unit}/s, \d+ s left\)', words)
            self.assertTrue(re.search(r'\r\x1b\[K\Z', said) or not said.endswith(')'), (words, said[-100:]))

    def test_no_bar_if_quiet_dumb_or_not_a_terminal(self):
        for say in (lambda words: self.terminal([*words, '--quiet'], 2), lambda words: self.terminal(words, 2, TERM='dumb'),
                    lambda words: self.run_tool(*words).stderr):
            for words, _, _ in self.long_work():
                self.assertNotIn('\r', say(words), words)

    def test_verbose_names_phases_and_what_they_took(self):
        for words, unit, phase in self.long_work():
            said = self.run_tool(*words, '-v').stderr
            self.assertRegex(said, rf'(?m)^({re.escape(phase)}): (1 {unit[:-1]}|(?!1 )\d+ {unit}) in \d+\.\d\d s$', words)
            self.assertRegex(said, r'(?m)^time \d+\.\d\d s, CPU \d+\.\d\d s, peak of memory [1-9]\d* MB$', words)
        self.assertEqual(self.run_tool(*OVERFLOWS, '-v', '-q').returncode, 2)
        self.assertEqual(self.run_tool(*OVERFLOWS, '-v').stdout, self.run_tool(*OVERFLOWS).stdout)

    # Suggestions

    def test_unknown_names_get_a_suggestion(self):
        replay = ['replay', self.trace, '-a', self.edge]
        for words, status, meant in [
            (['reply'], 2, 'replay'),
            (['sweep', 'rn', 'x'], 2, 'run'),
            (['list', 'formts'], 2, 'formats'),
            (['config', 'chek', self.edge], 2, 'check'),
            (['replay', self.trace, '--acelerator', self.edge], 2, '--accelerator'),
            (['replay', self.trace, '--acelerator=' + self.edge], 2, '--accelerator'),
            ([*replay, '--widows', '1'], 2, '--windows'),
            (['sweep', 'run', 'x', '--job', '2'], 2, '--jobs'),
            ([*replay, '--format', 'tabel'], 2, 'table'),
            ([*replay, '--fidelity', 'tlie'], 2, 'tile'),
            ([*replay, '--variants', 'none,slnc'], 2, '"slanc"'),
            ([*replay, '--variants', 'w8A8static'], 2, '"w8a8+static"'),
            ([*replay, '--variants', 'gptq(grup=4)+w4a4'], 2, '"group"'),
            ([*replay, '--set', 'norm.lane=8'], 78, 'norm.lanes'),
            ([*replay, '--set', 'norm.accumulator.format=fp17'], 78, '"fp16"'),
            ([*replay, '--set', 'accumulator.reduce=tre'], 78, '"tree"'),
            ([*replay, '--fail-on', 'perplexty>2'], 2, 'perplexity'),
            (['gemm', '1', '1', '1', '--preset', 'hoper_fp8'], 2, 'hopper_fp8'),
            (['gemm', '1', '1', '1', '--events', 'overflw'], 2, 'overflow'),
            (['gemm', '1', '1', '1', '--vector-target', 'scaler'], 2, 'scalar'),
            (['config', 'show', '--preset', 'kulish_fp8'], 2, 'kulisch_fp8'),
            (['quantize', 'x.npy', '--format', 'fp8_e4m4', '-o', 'y.npy'], 2, 'fp8_e4m3'),
            (['quantize', 'x.npy', '--format', 'mxfp4_e2m2', '-o', 'y.npy'], 2, 'mxfp4_e2m1'),
            (['conform', 'x', '--op', 'add', '--format', 'fp61'], 2, 'fp16'),
            (['conform', 'x', '--op', 'mull'], 2, 'mul'),
            (['truths', 'topolgy'], 2, 'topology'),
            (['regress', 'check', str(self.source / 'configs/regress/kjv.toml'), '--golden', 'g', '--case', 'edg'], 2, 'edge'),
            (['completion', 'bsh'], 2, 'bash'),
        ]:
            result = self.run_tool(*words)
            self.assertEqual(result.returncode, status, (words, result.stderr))
            self.assertIn(f'did you mean {meant}?', result.stderr, words)
            self.assertEqual(result.stdout, '')

    def test_names_that_are_right_or_far_away_get_none(self):
        self.assertNotIn('did you mean', self.run_tool('zzzzzzzz').stderr)
        self.assertNotIn('did you mean', self.run_tool('gemm', '1', '1', '1', '--qqqqqqqqqq').stderr)
        self.assertEqual(self.run_tool('gemm', '1', '1', '1', '--a', '--b').returncode, 2, '--b is the value of --a')
        self.assertNotIn('unknown option', self.run_tool('gemm', '1', '1', '1', '--a', '--nothing').stderr)
        submit = self.run_tool('sweep', 'submit', 'nowhere', '--slurm', '--partition=main').stderr
        self.assertNotIn('unknown option', submit)

    def test_what_is_missing_is_said_in_one_line_with_the_way_to_the_help(self):
        for words, said in [
            ([], 'guardbit: A subcommand is required (guardbit --help)\n'),
            (['replay', 'traces/kjv-gpt2'], 'guardbit: --accelerator is required (guardbit replay --help)\n'),
            (['sweep', 'run'], 'guardbit: store is required (guardbit sweep run --help)\n'),
        ]:
            result = self.run_tool(*words)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (2, '', said), words)

    def test_slips_are_told_what_to_write(self):
        self.long_work()
        self.assertEqual(self.run_tool('sweep', 'run', 'sweep', '-q').returncode, 0)
        self.assertEqual(self.run_tool('sweep', 'gather', 'sweep', '-o', 'sweep.db', '-q').returncode, 0)
        (self.at / 'empty').mkdir(exist_ok=True)
        (self.at / 'keep.toml').write_text((self.at / 'sweep.toml').read_text().replace('[replay]', 'keep = ["variant == none"]\n[replay]'))
        for words, status, said in [
            (['replay', self.trace + '/trace.json', '-a', self.edge], 66,
             f'{self.trace}/trace.json: got a file; expected the directory of a trace, which holds trace.json; did you mean {self.trace}?'),
            (['replay', 'x.npy', '-a', self.edge], 66, 'x.npy: got a file; expected the directory of a trace, which holds trace.json'),
            (['capture', 'empty', '--tokens', 't.json', '-o', 'captured'], 66,
             'empty: got a directory without config.json; expected a Hugging Face directory (config.json and safetensors files) or a '
             'llama2.c checkpoint file (.bin)'),
            (['replay', self.trace, '-a', self.edge, '--variants', ''], 2,
             '--variants: variant "": got nothing; expected methods and widths, or none: the model as it is'),
            (['replay', self.trace, '-a', self.edge, '--variants', 'none,,rs'], 2,
             '--variants: variant "": got nothing; expected methods and widths, or none: the model as it is'),
            (['sweep', 'plan', 'keep.toml', '-o', 'kept'], 78,
             "keep.toml:5: keep: got none; expected a key, or a text in single quotes: 'none'"),
        ]:
            result = self.run_tool(*words)
            self.assertEqual((result.returncode, result.stderr), (status, f'guardbit: {said}\n'), words)
        topic = self.run_tool('list', 'norm')
        self.assertRegex(topic.stderr, r'^guardbit: norm: unknown topic; expected one of formats, accumulators, .*exit_codes')
        where = self.run_tool('pareto', 'sweep.db', '--x', 'cycles', '--y', 'sqnr_db', '--where', "varient <> 'none'")
        self.assertEqual(where.returncode, 2)
        self.assertRegex(where.stderr, r'^guardbit: --where: no such column: varient; expected one of id, .*; did you mean variant\?\n$')

    def test_numbers_out_of_range_are_refused_in_the_words_of_every_error(self):
        replay = ['replay', self.trace, '-a', self.edge]
        search = ['sweep', 'search', 'x.toml', '-o', 'x', '--x', 'cycles', '--y', 'sqnr_db', '--tokens', '2']
        capture = ['capture', 'x', '--tokens', 'y', '-o', 'z']
        for words, option, value, expected in [
            (['gemm', '0', '1', '1'], 'M', '0', '1..1048576'),
            (['quantize', 'x.npy', '--format', 'nvfp4', '-o', 'y.npy'], '--axis', 'nan', '-8..7'),
            (replay, '--windows', '-1', 'a whole number from 0 on'),
            (replay, '--windows', '1.5', 'a whole number from 0 on'),
            (replay, '--tokens', '9223372036854775808', 'a whole number from 0 on'),
            (replay, '--decode', 'x', 'a whole number from 0 on'),
            (replay, '--calibration-windows', '-1', 'a whole number from 0 on'),
            (replay, '--stall-seed', '-1', 'a whole number from 0 on'),
            (replay, '--channels', '1048577', '0..1048576'),
            (replay, '--threads', '1025', '0..1024'),
            (replay, '--residual-gain', 'nan', 'a number in 1e-6..1e6'),
            (replay, '--channel-gain', 'inf', 'a number in 1e-6..1e6'),
            (replay, '--slanc-target', '1x', 'a number in 1e-6..1e6'),
            (search, '--slack', 'nan', 'a number in 0..100'),
            (search, '--slack', '100.5', 'a number in 0..100'),
            (search, '--keep', '1', '2..1000'),
            (search, '--max-points', '0', 'a whole number from 1 on'),
            (['sweep', 'run', 'x'], '--timeout', 'inf', 'a number in 0..1e9'),
            (['sweep', 'run', 'x'], '--timeout', '-nan', 'a number in 0..1e9'),
            (['sweep', 'run', 'x'], '--jobs', '-1', '0..1024'),
            (['sweep', 'submit', 'x', '--slurm'], '--jobs', '0', '1..1024'),
            (capture, '--context', '0', '1..1099511627776'),
            (capture, '--record-tokens', 'many', '0..1099511627776'),
        ]:
            given = [] if option == 'M' else [f'{option}={value}']
            result = self.run_tool(*words, *given)
            self.assertEqual(result.returncode, 2, (words, option, result.stderr))
            verb = ' '.join(words[:2] if words[0] == 'sweep' else words[:1])
            self.assertEqual(result.stderr, f'guardbit: {option}: got {value}; expected {expected} (guardbit {verb} --help)\n')
        self.assertNotRegex(''.join(self.run_tool(*verb.split(), '--help').stdout for verb in self.help_options()), 'INT in|FLOAT in')

    def test_more_than_there_is_is_warned_of(self):
        asked = ['--windows', '100', '--tokens', '1000']
        said = [f'guardbit: warning: --windows: got 100; kjv-gpt2 has 8, all of which are replayed\n',
                f'guardbit: warning: --tokens: got 1000; the longest window of kjv-gpt2 has 256, all of which are replayed\n']
        done = self.run_tool('replay', self.trace, '-a', self.edge, '--no-values', '--variants', 'none', '--format', 'json', '-q', *asked)
        self.assertEqual((done.returncode, done.stderr), (0, ''.join(said)))
        self.assertEqual(json.loads(done.stdout)['trace']['windows'], 8)
        fits = self.run_tool('replay', self.trace, '-a', self.edge, '--no-values', '--variants', 'none', '-q', '--windows', '8', '--tokens', '256')
        self.assertEqual((fits.returncode, fits.stderr), (0, ''))
        bathtub = self.run_tool('bathtub', self.trace, '-a', self.edge, '--windows', '9', '--from', '0', '--to', '0', '-q')
        self.assertEqual((bathtub.returncode, bathtub.stderr), (0, said[0].replace('100', '9')))
        (self.at / 'long.toml').write_text(
            f'schema = "guardbit-sweep/1"\nname = "s"\naccelerator = "{self.edge}"\ntrace = "{self.trace}"\n'
            '[replay]\nvalues = false\n[axes]\nreplay.windows = [1, 9, 10]\n')
        planned = self.run_tool('sweep', 'plan', 'long.toml', '-o', 'long')
        expected = 'guardbit: warning: long.toml:8: replay.windows: got 9; kjv-gpt2 has 8, all of which are replayed\n'
        self.assertEqual((planned.returncode, planned.stderr), (0, expected))

    # config show --origin

    def test_origin_says_where_each_value_comes_from(self):
        (self.at / 'base.toml').write_text('[array]\nrows = 8\ncols = 8\n')
        (self.at / 'mine.toml').write_text('extends = ["base.toml"]\n\n[array]\ncols = 16\n')
        shown = self.run_tool('config', 'show', 'mine.toml', '--set', 'norm.lanes=32', '--preset', 'hopper_fp8', '--origin')
        self.assertEqual(shown.returncode, 0, shown.stderr)
        section, origins = '', {}
        for line in shown.stdout.splitlines():
            section = line[1:-1] if line.startswith('[') else section
            row = re.match(r'(\w+) = (.*?) +# (.*)$', line)
            if row:
                origins[f'{section}.{row.group(1)}'] = row.group(2, 3)
        self.assertEqual(origins['array.rows'], ('8', 'base.toml:2'))
        self.assertEqual(origins['array.cols'], ('16', 'mine.toml:4'))
        self.assertEqual(origins['norm.lanes'], ('32', '--set'))
        self.assertEqual(origins['array.activation'], ('"fp8_e4m3"', 'preset hopper_fp8'))
        self.assertEqual(origins['accumulator.reduce'], ('"aligned"', 'preset hopper_fp8'))
        self.assertEqual(origins['attention.accumulator.reduce'], ('"sequential"', 'default'))
        self.assertEqual({line[1] for line in origins.values()},
                         {'base.toml:2', 'mine.toml:4', '--set', 'preset hopper_fp8', 'default'})

    def test_what_show_prints_is_the_same_machine(self):
        for extra in ([], ['--origin']):
            shown = self.run_tool('config', 'show', '--preset', 'hopper_fp8', *extra).stdout
            (self.at / 'shown.toml').write_text(shown)
            self.assertEqual('default' in shown.split('\n', 1)[1], bool(extra))
            digest = [json.loads(self.run_tool('gemm', '8', '8', '64', '--format', 'json', *hardware).stdout)['result']['digest']
                      for hardware in (['--accelerator', 'shown.toml'], ['--preset', 'hopper_fp8'])]
            self.assertEqual(*digest)
        self.assertEqual(self.run_tool('config', 'show', self.edge, '--preset', 'hopper_fp8').returncode, 2, 'edge has an accumulator')

    # list

    def test_list_knows_everything_for_people_and_programs(self):
        topics = self.run_tool('list').stdout
        everything = json.loads(self.run_tool('list', '--json').stdout)
        self.assertEqual(everything.pop('schema'), 'guardbit-list/1')
        self.assertEqual(set(everything), {'formats', 'accumulators', 'units', 'methods', 'families', 'reports', 'events', 'exit_codes'})
        for topic, entries in everything.items():
            self.assertRegex(topics, rf'(?m)^{topic} +\S+')
            text = self.run_tool('list', topic).stdout
            self.assertEqual(json.loads(self.run_tool('list', topic, '--json').stdout)[topic], entries)
            for entry in entries:
                self.assertGreater(len(entry['summary']), 5, entry)
                name = {'intN': 'int2', 'uintN': 'uint2', 'qI.F': 'q<I>.<F>'}.get(entry['name'], entry['name'])
                self.assertRegex(text, rf'(?m)^{re.escape(name)}\b|^{re.escape(name)}:', topic)

    # Manual page and completions

    def help_options(self):
        """{verb: long options} as --help has them."""
        result, waiting = {}, ['']
        while waiting:
            verb = waiting.pop()
            text = self.run_tool(*verb.split(), '--help').stdout
            below = re.search(r'Subcommands:\n((?:  .*\n)+)', text)
            waiting += [f'{verb} {name}'.strip() for name in re.findall(r'^  (\w+)', below.group(1), re.M)] if below else []
            listed = text.split('\nExample')[0].split('\nOptions:')[1].split('\nSubcommands:')[0]
            result[verb] = set(re.findall(r'^  (?:-\w,)?(--[\w-]+)', listed, re.M))
        return result

    def test_manual_page_has_every_verb_and_option(self):
        page = self.run_tool('man').stdout
        options = self.help_options()
        self.assertGreater(len(options), 25)
        for verb, names in options.items():
            if not verb or verb in ('sweep', 'config', 'regress'):
                continue
            section = re.search(rf'\.SS guardbit {verb}\n(.*?)(?=\.S[SH] )', page, re.S)
            self.assertTrue(section, verb)
            for name in names - {'--help'}:
                self.assertIn(f'\\fB{name}\\fR'.replace('-', '\\-'), section.group(1), (verb, name))
        self.assertIn('.SH NAME\nguardbit \\- bit\\-accurate simulator of a transformer accelerator\n', page)
        self.assertIn(' Default: none,slanc,rrs,slanc+rrs.', page)
        self.assertNotRegex(page, r'Default: \[')
        for code in ('0', '78', '128+n'):
            self.assertIn(f'\\fB{code}\\fR', page)
        for line in page.splitlines():
            self.assertRegex(line, r'^(\.(TH|SH|SS|TP|PP|nf|fi)\b|[^.\'])|^$', line)
        if shutil.which('groff'):
            done = subprocess.run(['groff', '-man', '-Tutf8', '-ww', '-Wbreak'], input=page, text=True, capture_output=True)
            self.assertEqual((done.returncode, done.stderr), (0, ''))

    def complete(self, *words):
        """What bash offers for the last of the words."""
        (self.at / 'guardbit.bash').write_text(self.run_tool('completion', 'bash').stdout)
        line = ' '.join(f"'{word}'" for word in words)
        script = (f'source guardbit.bash; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; compopt() {{ :; }}; _guardbit; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(['bash', '-c', script], cwd=self.at, text=True, capture_output=True)
        self.assertEqual(done.stderr, '')
        return done.stdout.split()

    def test_bash_completes_verbs_options_and_values(self):
        for words, expected in [
            (('guardbit', 'rep'), ['replay', 'report']),
            (('guardbit', 'sweep', 'se'), ['search']),
            (('guardbit', 'sweep', 'run', 'out', '--ret'), ['--retry-failed']),
            (('guardbit', 'replay', 'x', '--format', 'va'), ['values.csv']),
            (('guardbit', 'gemm', '--preset', 'hopper_fp8_'), ['hopper_fp8_promote128']),
            (('guardbit', 'gemm', '1', '1', '1', '--set', 'array.ro'), ['array.rows=']),
            (('guardbit', 'quantize', 'x.npy', '--format', 'mxfp4'), ['mxfp4_e2m1']),
            (('guardbit', 'replay', '--variants', 'smo'), ['smoothquant']),
            (('guardbit', 'list', 'fam'), ['families']),
            (('guardbit', 'truths', 'top'), ['topology']),
            (('guardbit', 'completion', 'z'), ['zsh']),
            (('guardbit', 'replay', '--accelerator', 'anything'), []),
        ]:
            self.assertEqual(self.complete(*words), expected, words)

    def test_completions_have_every_verb_and_option(self):
        scripts = {shell: self.run_tool('completion', shell).stdout for shell in ('bash', 'zsh', 'fish')}
        for verb, names in self.help_options().items():
            self.assertLessEqual(names, set(self.complete('guardbit', *verb.split(), '--')) | {'--help'}, verb)
            begin = "complete -c guardbit -n '" + f'__guardbit_at {verb}'.strip() + "'"
            fish = '\n'.join(line for line in scripts['fish'].splitlines() if line.startswith(begin))
            zsh = re.search(rf"^    '{verb}'\) entries=\((.*)\) ;;$", scripts['zsh'], re.M).group(1)
            for name in names:
                self.assertRegex(fish, rf' -l {name[2:]}( |$)', verb)
                self.assertIn(f"'{name}:", zsh, verb)
        for shell in ('bash', 'zsh', 'fish'):
            if shutil.which(shell):
                script = self.at / f'script.{shell}'
                script.write_text(scripts[shell])
                self.assertEqual(subprocess.run([shell, '-n', str(script)], capture_output=True, text=True).stderr, '')


    OFFERED = [(('guardbit', 'sweep', 'ru'), 'run'), (('guardbit', 'sweep', 'run', 'x', '--ret'), '--retry-failed'),
               (('guardbit', 'replay', 'x', '--format', 'va'), 'values.csv'), (('guardbit', 'gemm', '--set', 'array.ro'), 'array.rows='),
               (('guardbit', 'list', 'fam'), 'families')]

    @unittest.skipUnless(shutil.which('fish'), 'no fish')
    def test_fish_completes(self):
        (self.at / 'guardbit.fish').write_text(self.run_tool('completion', 'fish').stdout)
        for words, expected in self.OFFERED:
            done = subprocess.run(['fish', '--no-config', '-c', f'source guardbit.fish; complete -C "{" ".join(words)}"'], cwd=self.at,
                                  text=True, capture_output=True)
            self.assertEqual([line.split('\t')[0] for line in done.stdout.splitlines()], [expected], words)

    @unittest.skipUnless(shutil.which('zsh'), 'no zsh')
    def test_zsh_completes(self):
        """The function itself, with stand-ins that print what it would offer."""
        (self.at / '_guardbit').write_text(self.run_tool('completion', 'zsh').stdout)
        for words, expected in self.OFFERED:
            script = ('compdef() { : }; _files() { : }; _describe() { print -l -- ${(P)2} }; compadd() { print -l -- ${(P)argv[2]} }; '
                      f'source ./_guardbit; words=({" ".join(words)}); CURRENT=$#words; _guardbit')
            done = subprocess.run(['zsh', '-f', '-c', script], cwd=self.at, text=True, capture_output=True)
            offered = [line.split(':')[0] for line in done.stdout.splitlines() if line.startswith(words[-1])]
            self.assertEqual((offered, done.stderr), ([expected], ''), words)


if __name__ == '__main__':
    TerminalTest.binary = os.path.abspath(sys.argv[1])
    TerminalTest.source = Path(sys.argv[2]).resolve()
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
