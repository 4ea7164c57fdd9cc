"""A directory in which the commands of the documentation run: the repository's files where the pages say that they are, and the
user's own files that the pages speak of (a model, a text, tensors, vectors)."""
import gzip
import math
import os
import random
import resource
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np

# In the quick tier `guardbit` is this script: replays and captures of a few tokens, one case of a suite. Everything else is as typed.
SHORT = '''#!/bin/sh
has() {{ for word in $line; do [ "$word" = "$1" ] && return 0; done; return 1; }}
line="$*"
add() {{ has "$1" || extra="$extra $*"; }}
extra=
has --help || case $1 in
  replay) has --no-values || {{ add --windows 1; add --tokens 8; }} ;;
  bathtub) add --windows 1; add --from -1; add --to 1 ;;
  capture) add --windows 1; add --calibration-windows 1 ;;
  regress) [ "$2" = --help ] || add --case gemm-hopper ;;
esac
exec {binary} "$@" $extra
'''

SMALL_SWEEP = '''schema = "guardbit-sweep/1"
name = "array-formats"
accelerator = "../accelerators/edge.toml"
trace = "../../traces/kjv-gpt2"
[replay]
windows = 1
tokens = {tokens}
[axes]
norm.accumulator.format = ["fp16", "bf16"]
variant = ["none", "rs"]
'''


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, array in tensors.items():
        header[name] = {'dtype': 'F32', 'shape': list(array.shape), 'data_offsets': [offset, offset + array.nbytes]}
        offset += array.nbytes
    import json
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack('<Q', len(text)) + text + b''.join(a.tobytes() for a in tensors.values()))


def write_llama(path, tokenizer):
    """A llama2.c checkpoint of one layer with random weights, and a tokenizer of single bytes."""
    dim, hidden, layers, heads, vocabulary, length = 16, 24, 1, 2, 260, 64
    rng = np.random.default_rng(1)
    sizes = [vocabulary * dim, layers * dim, layers * dim * dim, layers * dim * dim, layers * dim * dim, layers * dim * dim,
             layers * dim, layers * dim * hidden, layers * hidden * dim, layers * dim * hidden, dim]
    weights = [np.ones(n, '<f4') if n in (dim, layers * dim) else rng.normal(0, 0.1, n).astype('<f4') for n in sizes]
    tables = [np.zeros(length * dim // heads // 2, '<f4')] * 2
    path.write_bytes(struct.pack('<7i', dim, hidden, layers, heads, heads, vocabulary, length) +
                     b''.join(w.tobytes() for w in weights + tables))
    pieces = [b'<unk>', b'\n<s>\n', b'\n</s>\n'] + [b'<0x%02X>' % i for i in range(256)] + [b' ']
    tokenizer.write_bytes(struct.pack('<i', max(map(len, pieces))) +
                          b''.join(struct.pack('<fi', 0, len(p)) + p for p in pieces))


def half_bits(value):
    return '%04X' % int(np.float16(value).view(np.uint16))


def write_vectors(directory):
    """Operations on numbers whose exact results binary64 holds: numpy then rounds once, to nearest even."""
    rng = random.Random(1)
    numbers = [float(np.float16(math.ldexp(rng.randrange(-2047, 2048), rng.randrange(-14, -6)))) for _ in range(300)]
    triples = list(zip(numbers[:100], numbers[100:200], numbers[200:]))
    with gzip.open(directory / 'f16_mulAdd_RNE.txt.gz', 'wt') as out:
        out.writelines(' '.join(map(half_bits, (a, b, c, a * b + c))) + '\n' for a, b, c in triples)
    with gzip.open(directory / 'f16_add_RNE.txt.gz', 'wt') as out:
        out.writelines(' '.join(map(half_bits, (a, b, a + b))) + '\n' for a, b, _ in triples)
    (directory / 'mine.txt').write_text('# 1, -2, 1.07 cut off to 1\n3F800000 38\nC0000000 C0\n3F88F5C3 38\n')


class Scratch:
    def __init__(self, path, binary, source, short):
        self.path, self.source = Path(path), Path(source)
        self.binary, self.short = binary, short
        self.cpu_seconds = {}
        (self.path / 'build/release').mkdir(parents=True)
        tool = self.path / 'build/release/guardbit'
        if short:
            tool.write_text(SHORT.format(binary=binary))
            tool.chmod(0o755)
        else:
            tool.symlink_to(binary)
        for name in ('traces', 'tests', 'docs'):
            (self.path / name).symlink_to(self.source / name)
        shutil.copytree(self.source / 'configs', self.path / 'configs')
        self.environment = dict(os.environ, PATH=f'{tool.parent}:{os.environ["PATH"]}', SGE_TASK_ID='1', JOB_COMPLETION_INDEX='0')
        self.write_files()

    def write_files(self):
        at = self.path
        kjv = self.source / 'traces/kjv-gpt2'
        (at / 'text.txt').write_bytes((kjv / 'source/held_out.txt').read_bytes()[:1024])
        (at / 'other.txt').write_bytes((kjv / 'source/held_out.txt').read_bytes()[1024:2048])
        for model in ('MODEL', 'my-gpt2'):
            (at / model).mkdir()
            shutil.copy(kjv / 'source/config.json', at / model)
            shutil.copy(kjv / 'weights.safetensors', at / model / 'model.safetensors')
        (at / 'windows.json').write_text('{"windows": [[1, 2, 3, 4], [5, 6, 7, 8]]}')
        (at / 'TRACE').symlink_to(kjv)
        (at / 'ACCELERATOR').symlink_to(self.source / 'configs/accelerators/edge.toml')
        write_llama(at / 'stories.bin', at / 'tokenizer.bin')
        rng = np.random.default_rng(1)
        tensors = {'h.0.mlp.c_fc.weight': rng.normal(0, 0.1, (768, 768)).astype('<f4'),
                   'head.weight': rng.normal(0, 0.1, (64, 96)).astype('<f4')}
        write_safetensors(at / 'weights.safetensors', tensors)
        np.save(at / 'x.npy', rng.normal(0, 1, (32, 768)).astype('<f4'))
        write_vectors(at)
        sweep = SMALL_SWEEP.format(tokens=8)
        if self.short:
            (at / 'configs/sweeps/array-formats.toml').write_text(sweep)
        (at / 'big.toml').write_text(sweep.replace('"../', '"configs/').replace('"configs/../traces', '"traces').replace(
            'tokens = 8\n', 'tokens = 256\n' if not self.short else 'tokens = 8\n'))
        self.run('guardbit replay traces/kjv-gpt2 -a configs/accelerators/edge.toml --windows 1 --tokens 8 -q -o out/quickstart >/dev/null')
        for name, rounding in (('before', 'rne'), ('after', 'rtz')):
            self.run(f'guardbit replay traces/kjv-gpt2 -a configs/accelerators/edge.toml --windows 1 --tokens 8 --variants none '
                     f'--set norm.accumulator.rounding={rounding} -q -o out/{name} >/dev/null')

    def run(self, command):
        """(exit status, what it wrote) of a command as typed in bash."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(['bash', '-c', command], cwd=self.path, env=self.environment, text=True, errors='replace',
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu_seconds[command] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return done.returncode, done.stdout
