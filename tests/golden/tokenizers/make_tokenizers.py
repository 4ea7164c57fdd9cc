#!/usr/bin/env python3
"""Makes the small tokenizer.json files of this folder and cases.json (README.md). Needs python3-regex."""
import json
import random
import sys

import regex

GPT2 = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
LLAMA3 = (r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"""
          r"""|\s*[\r\n]+|\s+(?!\S)|\s+""")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
TEXT = ("It's the king's men, they're 12345 strong; we'll see. I'd said: \"Don't!\"\n\nThe  year 1611 -- and 2,024 too.\n"
        "  He said unto them, Why are ye fearful? naïve café Übermut größer Müller straße déjà vu. \u00e9t\u00e9 "
        "\u4f60\u597d\uff0c\u4e16\u754c\u3002 \u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! 3.14159 x^2+y^2=z^2 "
        "the the the then there these thing think with within without\r\n\tdef f(x):\r\n\t\treturn x*x  # ok\n") * 2


def byte_alphabet():
    visible = list(range(0x21, 0x7F)) + list(range(0xA1, 0xAD)) + list(range(0xAE, 0x100))
    table, extra = {}, 0x100
    for byte in range(256):
        if byte in visible:
            table[byte] = chr(byte)
        else:
            table[byte] = chr(extra)
            extra += 1
    return table


def train(words, symbols, num_merges):
    """Plain byte-pair training: (vocabulary in order, merges)."""
    vocabulary, merges = list(symbols), []
    words = [list(word) for word in words]
    for _ in range(num_merges):
        counts = {}
        for word in words:
            for pair in zip(word, word[1:]):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break
        best = max(sorted(counts), key=lambda pair: counts[pair])
        if counts[best] < 2:
            break
        merges.append(best)
        if "".join(best) not in vocabulary:
            vocabulary.append("".join(best))
        for word in words:
            i = 0
            while i + 1 < len(word):
                if (word[i], word[i + 1]) == best:
                    word[i:i + 2] = ["".join(best)]
                i += 1
    return vocabulary, merges


def added(id, content, **flags):
    return dict({"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
                 "normalized": False, "special": True}, **flags)


def bpe(vocabulary, merges, as_pairs, **options):
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False}
    model.update(options)
    model["vocab"] = {token: i for i, token in enumerate(vocabulary)}
    model["merges"] = [list(pair) if as_pairs else " ".join(pair) for pair in merges]
    return model


def template(before, behind, ids):
    special = {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in before + behind}
    piece = lambda name: {"SpecialToken": {"id": name, "type_id": 0}}
    return {"type": "TemplateProcessing", "single": [piece(n) for n in before]
            + [{"Sequence": {"id": "A", "type_id": 0}}] + [piece(n) for n in behind],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": special}


def byte_level(pattern, as_pairs, **options):
    alphabet = byte_alphabet()
    words = ["".join(alphabet[b] for b in piece.encode()) for piece in regex.findall(pattern, TEXT)]
    vocabulary, merges = train(words, [alphabet[b] for b in range(256)], 120)
    return vocabulary, bpe(vocabulary, merges, as_pairs, **options)


def document(model, added_tokens, normalizer, pre_tokenizer, post_processor):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added_tokens,
            "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": post_processor,
            "decoder": None, "model": model}


def split(pattern):
    return {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}


def byte_level_post():
    return {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}


def characters(normalizer, pre_tokenizer, unknown):
    words = [w if w else "▁" for w in ("▁" + TEXT.replace(" ", "▁")).replace("▁", " ▁").split(" ")]
    symbols = (["<unk>", "<s>", "</s>"] + ([] if unknown else [f"<0x{b:02X}>" for b in range(256)])
               + sorted(set(TEXT.replace(" ", "▁")) - {"é", "好", "\n"}))
    vocabulary, merges = train([[c for c in w] for w in words if w], symbols, 90)
    known = set(vocabulary)
    merges = [pair for pair in merges if pair[0] in known and pair[1] in known and "".join(pair) in known]
    model = bpe(vocabulary, merges, False, byte_fallback=not unknown, unk_token="<unk>", fuse_unk=True)
    tokens = [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")]
    return document(model, tokens, normalizer, pre_tokenizer, template(["<s>"], [], {"<s>": 1}))


def make():
    made = {}
    vocabulary, model = byte_level(GPT2, False)
    n = len(vocabulary)
    made["gpt2"] = document(model, [added(n, "<|endoftext|>")], None,
                            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
                            byte_level_post())
    made["gpt2_prefix"] = document(model, [added(n, "<|endoftext|>"), added(n + 1, "<mask>", lstrip=True),
                                           added(n + 2, "<|end"), added(n + 3, "<tab>", rstrip=True)], None,
                                   {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True},
                                   {"type": "RobertaProcessing", "cls": ["<|endoftext|>", n],
                                    "sep": ["<mask>", n + 1], "trim_offsets": True, "add_prefix_space": True})
    vocabulary, model = byte_level(LLAMA3, True, ignore_merges=True)
    alphabet = byte_alphabet()
    model["vocab"]["".join(alphabet[b] for b in " without".encode())] = len(vocabulary)  # reached by no merges
    n = len(vocabulary) + 1
    ids = {"<|begin|>": n, "<|end|>": n + 1}
    made["llama3"] = document(model, [added(i, name) for name, i in ids.items()], None, split(LLAMA3),
                              {"type": "Sequence",
                               "processors": [byte_level_post(), template(["<|begin|>"], ["<|end|>"], ids)]})
    vocabulary, model = byte_level(QWEN2, False)
    made["qwen2"] = document(model, [added(len(vocabulary), "<|im_start|>")], {"type": "NFC"}, split(QWEN2),
                             byte_level_post())
    prepend = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                                                   {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
    made["llama2"] = characters(prepend, None, False)
    made["metaspace_first"] = characters(None, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first",
                                                "split": False}, False)
    made["metaspace_split"] = characters(None, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always",
                                                "split": True}, True)
    return made


def cases():
    rng = random.Random(20261126)
    alphabet = list("aetTs'' \n\r\t  09.,-") + ["é", "ß", "你", "好", "П", "\u00a0", "\u3000", "½", "Ⅷ", "😀", "ſ", "'S",
                                               "'Ll", "the", " with", "<|end", "<s>", "<mask>", "<tab>", "\u2028"]
    texts = ["a", " ", "\n", TEXT, "'s", "it'S", "x  y", "x   ", "   x", "\r\n\r\n x", "1234567", " 12 345", "<|endoftext|>",
             "a<|endoftext|>b", "a <mask> b", "<tab>  b", "<s>hello</s> world", "x<|begin|><|end|>", "▁ ▁▁a", "  "]
    for length in (2, 3, 5, 8, 13, 21, 34, 55):
        texts += ["".join(rng.choice(alphabet) for _ in range(length)) for _ in range(12)]
    return texts


def main():
    for name, content in make().items():
        with open(name + ".json", "w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, separators=(",", ":"))
            file.write("\n")
    with open("cases.json", "w", encoding="utf-8") as file:
        json.dump(cases(), file, ensure_ascii=False, indent=0)
        file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
