"""The commands of a Markdown page: what stands in its code blocks and begins with a program. Prose is left to others."""
import re
import shlex

# A block with a line that begins with one of these is a block of commands: every line of it must be one.
PROGRAMS = re.compile(r'(guardbit|build/release/\w+|\./[\w-]+|tests/\S+\.(sh|py)|sim/\S+\.sh|traces/\S+\.py|docs/\S+\.py|/usr/bin/python3|python3|cmake|'
                      r'ctest|cp|export|apt-get|clang-format|git|npm|node|man|source|parallel|squeue|scancel|kill|mkdir|seq|\w+=\S+)$')


class Command:
    def __init__(self, page, line, text):
        self.page, self.line, self.text = page, line, text

    def __str__(self):
        return f'{self.page}:{self.line}: {self.text}'


def code_blocks(text):
    """[(number of the first line, [line])] of indented and fenced blocks."""
    blocks, current, fenced, previous_blank = [], None, False, True
    for number, line in enumerate(text.split('\n'), 1):
        if line.startswith('```'):
            fenced = not fenced
            current = None
            if fenced:
                current = (number + 1, [])
                blocks.append(current)
            continue
        indented = line.startswith('    ') and line.strip() != ''
        if fenced:
            current[1].append(line)
        elif indented and (current is not None or previous_blank):
            if current is None:
                current = (number, [])
                blocks.append(current)
            current[1].append(line[4:])
        else:
            current = None
        previous_blank = line.strip() == ''
    return blocks


def without_comment(line):
    """`line` up to a '#' that stands after white space and outside quotes."""
    quote = None
    for i, c in enumerate(line):
        if quote:
            quote = None if c == quote else quote
        elif c in '\'"':
            quote = c
        elif c == '#' and (i == 0 or line[i - 1].isspace()):
            return line[:i].rstrip()
    return line.rstrip()


def is_command(line):
    words = line.split()
    return bool(words) and PROGRAMS.match(words[0]) is not None


def commands_of(page, text):
    """All Commands of a page, continued lines joined; ValueError for a line of a command block that is none."""
    commands = []
    for first, lines in code_blocks(text):
        if not any(is_command(line) for line in lines):
            continue
        pending, start = '', first
        for number, line in enumerate(lines, first):
            line = without_comment(line)
            if not pending:
                start = number
            if line.endswith('\\'):
                pending += line[:-1].rstrip() + ' '
                continue
            whole = pending + line.strip() if pending else line.strip()
            pending = ''
            if not whole:
                continue
            if not is_command(whole):
                raise ValueError(f'{page}:{start}: got "{whole}" in a block of commands; expected a command or a comment')
            shlex.split(whole)  # its quotes are closed
            commands.append(Command(page, start, whole))
    return commands
