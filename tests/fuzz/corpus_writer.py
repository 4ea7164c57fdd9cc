"""Writes the whole corpus, one folder for each fuzz target: the committed texts of tests/fuzz/corpus, what is binary or
large (made here), good files of every kind, and the cases of the C++ tests' own tables."""
import gzip
import io
import shutil
import struct
import subprocess
import zipfile

from work_directory import checkpoint, npy, tokenizer_bin


def zip_archive(members, damage=None):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    content = bytearray(stream.getvalue())
    if damage:
        damage(content)
    return bytes(content)


def put(offset, value):
    """Overwrites bytes of a local file header (offsets: APPNOTE.TXT 4.3.7)."""
    def damage(content):
        content[offset:offset + len(value)] = value
    return damage


def made_files(work):
    """(target, file name, content), by the design's ids where it has one."""
    ids = npy("<i8", "(4,)", struct.pack("<4q", 1, 2, 3, 4))
    yield "windows", "NPZ-01-bomb.npz", zip_archive([("ids.npy", bytes(1 << 20))])
    yield "windows", "NPZ-02-sizes-disagree.npz", zip_archive([("ids.npy", ids)], put(22, struct.pack("<I", 1 << 30)))
    yield "windows", "NPZ-03-traversal.npz", zip_archive([("../ids.npy", ids)])
    yield "windows", "NPZ-04-wrong-crc.npz", zip_archive([("ids.npy", ids)], put(14, b"\0\0\0\0"))
    yield "windows", "NPZ-05-zip64.npz", zip_archive([("ids.npy", ids)], put(18, b"\xff" * 8))
    yield "windows", "GEN-01-empty.npy", b""
    yield "windows", "WIN-08-real.npy", npy("<f4", "(4,)", bytes(16))
    yield "windows", "WIN-09-large-id.npy", npy("<u8", "(2,)", struct.pack("<2Q", 1, 2**64 - 1))
    yield "windows", "WIN-10-three-dimensions.npy", npy("|u1", "(2, 2, 2)", bytes(8))
    yield "windows", "WIN-11-deep.json", b'{"windows": ' + b"[" * 200_000
    vectors = b"3C00 3C00 4000 00\n" * 100
    packed = gzip.compress(vectors, mtime=0)
    yield "conform", "f16_add_RNE.VEC-19-cut.txt.gz", packed[:-9]
    yield "conform", "f16_add_RNE.VEC-20-trailing.txt.gz", packed + b"x"
    yield "conform", "f16_add_RNE.VEC-21-checksum.txt.gz", packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]
    yield "conform", "f16_add_RNE.VEC-22-long-line.txt", b"0" * 70_000
    yield "conform", "f16_add_RNE.VEC-23-bomb.txt.gz", gzip.compress(b"0" * (1 << 22), mtime=0)
    good = checkpoint()
    yield "llama2c", "GEN-01-empty.bin", b""
    yield "llama2c", "GEN-02-short.bin", good[:27]
    yield "llama2c", "GEN-03-cut.bin", good[:-1]
    yield "llama2c", "GEN-04-trailing.bin", good + b"x"
    yield "llama2c", "GG-01-gguf.bin", b"GGUF" + good
    yield "llama2c", "OX-01-onnx.bin", b"\x08\x07\x12\x07pytorch\x1a\x051.9.0:\x80\x80\x80\x80\x08" + bytes(32)
    for field, name, value in ((0, "dim-zero", 0), (1, "negative", -4), (2, "claimed-layers", 4096), (3, "heads", 3),
                               (4, "kv-heads", 5), (5, "claimed-vocabulary", 1 << 22), (5, "smallest-vocabulary", -2**31),
                               (6, "claimed-context", 1 << 20)):
        changed = bytearray(good)
        struct.pack_into("<i", changed, 4 * field, value)
        yield "llama2c", f"LLC-0{field + 1}-{name}.bin", bytes(changed)
    tokens = tokenizer_bin()
    yield "tokenizer_bin", "GEN-01-empty.bin", b""
    yield "tokenizer_bin", "GEN-03-cut.bin", tokens[:-1]
    yield "tokenizer_bin", "GEN-04-trailing.bin", tokens + b"x"
    yield "tokenizer_bin", "TKB-01-claimed-length.bin", tokens[:8] + struct.pack("<i", 2**31 - 1) + tokens[12:]
    yield "tokenizer_bin", "TKB-02-negative-length.bin", tokens[:8] + struct.pack("<i", -1) + tokens[12:]
    yield "tokenizer_bin", "TKB-03-nan-score.bin", tokens[:4] + b"\0\0\xc0\x7f" + tokens[8:]
    trace = work.read("small/trace.json")
    yield "trace", "TR-01-newer-schema.json", trace.replace(b"guardbit-trace/1", b"guardbit-trace/2")
    sha = trace.index(b'"sha256": "') + 11
    yield "trace", "TR-02-other-hash.json", trace[:sha] + b"0" * 64 + trace[sha + 64:]
    yield "trace", "TR-03-more-layers.json", trace.replace(b'"num_layers": 1', b'"num_layers": 2')
    yield "trace", "TR-03-claimed-sizes.json", trace.replace(b'"vocabulary_size": 5', b'"vocabulary_size": 4194304')
    yield "trace", "PATH-01-parent.json", trace.replace(b'"weights.safetensors"', b'"../weights.safetensors"')
    yield "trace", "PATH-06-nul.json", trace.replace(b'"weights.safetensors"', b'"a\\u0000b"')
    yield "result", "RES-11-number-for-text.json", work.read("timing/result.json").replace(b'"mode": "no_values"', b'"mode": 7')
    yield "result", "RES-12-negative-count.json", work.read("timing/result.json").replace(b'"windows": 2', b'"windows": -2')
    yield "result", "RES-13-truncated.json", work.read("timing/result.json")[:-20]
    point = next((work.path / "store").glob("??/*.json")).read_bytes()
    yield "store_point", "PNT-01-empty.json", b""
    yield "store_point", "PNT-02-truncated.json", point[:-1]
    yield "store_point", "PNT-03-newer-schema.json", point.replace(b"guardbit-point/2", b"guardbit-point/3")
    yield "store_point", "PNT-04-edited-result.json", point.replace(b'"cycles":', b'"cycles":1', 1)
    yield "store_point", "PNT-05-other-point.json", point.replace(b'"point":{', b'"point":{"x":1,', 1)
    golden = work.read("golden/product.golden.json")
    yield "golden", "GLD-06-edited.golden.json", golden.replace(b'"cycles":{', b'"cycles":{"x":1,', 1)
    yield "golden", "GLD-07-truncated.golden.json", golden[:-1]


def write_corpus(work, replay_corpus, directory):
    shutil.copytree(work.source / "tests/fuzz/corpus", directory)
    for target, name, content in [*made_files(work), *work.good_seeds()]:
        folder = directory / target
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    subprocess.run([replay_corpus, "--write-seeds", directory], check=True)
