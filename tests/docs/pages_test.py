#!/usr/bin/env python3
"""What the pages say of files, options and exit codes is so. Usage: pages_test.py BINARY SOURCE"""
import json
import re
import subprocess
import sys
import unittest
from pathlib import Path

import blocks
from commands_test import PAGES, Help

LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')
CODE = re.compile(r'`([^`\n]+)`')
# Options of other programs, which the pages mention too.
FOREIGN = {'--full', '--sanitize', '--partition', '--time', '--signal', '--vocabulary'}


def anchor(heading):
    """GitHub's name for a heading."""
    return re.sub(r'[^\w\- ]', '', re.sub(r'[`*]|\[([^\]]*)\]\([^)]*\)', r'\1', heading).strip().lower()).replace(' ', '-')


class PagesTest(unittest.TestCase):
    binary = source = None

    @classmethod
    def setUpClass(cls):
        cls.help = Help(cls.binary)
        cls.texts = {page: (cls.source / page).read_text() for page in PAGES}

    def run_tool(self, *words):
        return subprocess.run([self.binary, *words], text=True, capture_output=True)

    def test_links_resolve(self):
        for page, text in self.texts.items():
            prose = re.sub(r'^(    |```)[^\n]*$', '', text, flags=re.M)
            for target in LINK.findall(CODE.sub('', prose)):
                if re.match(r'https?:|mailto:', target):
                    continue
                name, _, fragment = target.partition('#')
                path = (self.source / page).parent / name if name else self.source / page
                self.assertTrue(path.exists(), f'{page}: {target} does not exist')
                if fragment:
                    anchors = [anchor(h) for h in re.findall(r'^#+ (.*)$', path.read_text(), re.M)]
                    self.assertIn(fragment, anchors, f'{page}: {target} has no such heading')

    def test_options_exist(self):
        known = set().union(*(self.help.options(verb) for verb in self.help.all_verbs())) | FOREIGN
        unknown = []
        for page, text in self.texts.items():
            for code in CODE.findall(re.sub(r'```.*?```', '', text, flags=re.S)):
                if blocks.is_command(code) and not code.startswith('guardbit '):
                    continue
                for option in re.findall(r'(?<![\w-])--[a-z][\w-]*', code):
                    if option not in known:
                        unknown.append(f'{page}: `{code}`: no verb has {option}')
        self.assertEqual(unknown, [])

    def test_verbs_exist(self):
        for page, text in self.texts.items():
            for code in CODE.findall(text):
                words = re.match(r'guardbit ((?:[a-z_]+ ?)+)', code)
                if words:
                    verbs = words.group(1).split()
                    self.assertIn(verbs[0], self.help.verbs(), f'{page}: `{code}`')
                    below = self.help.verbs(verbs[0])
                    if below and len(verbs) > 1:
                        self.assertIn(verbs[1], below, f'{page}: `{code}`')

    def test_index_has_every_page(self):
        linked = set(LINK.findall(self.texts['docs/README.md']))
        for path in (self.source / 'docs').glob('*.md'):
            if path.name != 'README.md':
                self.assertIn(path.name, linked, 'docs/README.md is the index of the pages')

    def test_readme_leads_to_the_index(self):
        self.assertIn('docs/README.md', LINK.findall(self.texts['README.md']))

    def test_exit_codes_are_the_tool_s(self):
        rows = re.findall(r'^\| (\S+) \| ([^|]*) \| ([^|]*) \|$', self.texts['docs/exit_codes.md'], re.M)
        listed = json.loads(self.run_tool('list', 'exit_codes', '--json').stdout)['exit_codes']
        expected = [(row['name'], *row['summary'].split(': ', 1)) for row in listed]
        self.assertEqual([row for row in rows if row[0] not in ('code', '---')], expected)
        for row in listed:
            self.assertRegex(self.run_tool('--help').stdout, rf'\b{re.escape(row["name"])} ')

    def test_every_exit_code_of_the_source_is_listed(self):
        source = (self.source / 'sim/base/error.h').read_text()
        codes = re.findall(r'^  k\w+ = (\d+)', source, re.M)
        self.assertEqual(len(codes), 11)
        listed = [row['name'] for row in json.loads(self.run_tool('list', 'exit_codes', '--json').stdout)['exit_codes']]
        self.assertEqual(listed, codes + ['128+n'])

    def test_contributing_names_files_that_exist(self):
        table = re.search(r'\| I want to add \|(?:.|\n)*?\n\n', self.texts['CONTRIBUTING.md']).group(0)
        rows = [row for row in table.splitlines()[2:] if row]
        for subject in ('number format', 'accumulator', 'unit', 'dataflow', 'calibration method', 'model family', 'verb', 'chart',
                        'regress case', 'file reader'):
            self.assertTrue(any(subject in row.split('|')[1] for row in rows), f'no row for a {subject}')
        for row in rows:
            _, _, files, test, _ = row.split('|')
            self.assertTrue(CODE.findall(test), f'{row}: no test')
            for name in CODE.findall(files + test):
                if re.match(r'(models|sim|tests|traces|configs|docs)/', name) and '<' not in name:
                    path, _, symbol = name.partition(':')
                    self.assertTrue((self.source / path).exists(), f'CONTRIBUTING.md: {name} does not exist')
                    if symbol:
                        self.assertIn(symbol, (self.source / path).read_text(), f'CONTRIBUTING.md: {name}')

    def test_key_reference_is_complete(self):
        keys, section = {}, ''
        for line in self.texts['configs/README.md'].splitlines():
            heading = re.match(r'## \[(.*)\]', line)
            section = heading.group(1) if heading else section
            row = re.match(r'\| `(\w+)` \| (.+?) \| `(.*?)` \| (.*?) \| (.+) \|$', line)
            if row:
                keys[f'{section}.{row.group(1)}'] = row.groups()[1:]
        shown, section = {}, ''
        for line in self.run_tool('config', 'show').stdout.splitlines():
            heading = re.match(r'\[(.*)\]$', line)
            section = heading.group(1) if heading else section
            value = re.match(r'(\w+) = (.*)$', line)
            if value and section:
                shown[f'{section}.{value.group(1)}'] = value.group(2)
        self.assertGreater(len(keys), 100)
        self.assertEqual({key: row[1] for key, row in keys.items()}, shown, 'keys and defaults')
        for key, (values, _, unit, meaning) in keys.items():
            self.assertRegex(meaning, r'\.$', f'{key}: a sentence')
            if key.endswith(('_cycles', '_bytes', '_pj', '_mhz', '_um2')):
                self.assertNotEqual(unit, '', f'{key}: its unit')


if __name__ == '__main__':
    PagesTest.binary = sys.argv[1]
    PagesTest.source = Path(sys.argv[2]).resolve()
    unittest.main(argv=sys.argv[:1], verbosity=1)
