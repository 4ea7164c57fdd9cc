#!/usr/bin/python3
"""Writes docs/results.md: the included model (and ../shared's, if it is there) by method, width and norm accumulator.

    /usr/bin/python3 docs/make_results.py [--binary build/release/guardbit] [--shared ../shared] [--windows 4]

Every number is read from the JSON of one of the commands that the page names. With --check nothing is written, and the exit
code is 1 if the page differs from what would be written.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
EDGE = ["edge", "--set", "accumulator.buffer.format=fp32"]
WIDTHS = {  # name: word behind the method, accelerator
    "fp32": ("", ["fp32"]),
    "w8a8": ("+w8a8", EDGE),
    "w4a16": ("+w4a16", EDGE),
    "w4a4": ("+w4a4", EDGE),
}
METHODS = ["none", "smoothquant", "gptq", "awq", "rs", "rotate", "rrs", "rrs+gptq"]
NORM_ACCUMULATORS = {  # name: keys of [norm.accumulator] beside their defaults
    "fp32": ["format=fp32"],
    "bf16": ["format=bf16"],
    "fp16": ["format=fp16"],
    "fp16, flush to zero": ["format=fp16", "subnormals=flush"],
    "e5m2": ["format=fp8_e5m2"],
    "e4m3, saturating": ["format=fp8_e4m3", "overflow=saturate"],
}
NORM_SCALES = ["none", "slanc", "slanc_residual", "dynamic_norm"]
NORM_EVENTS = ["overflow", "saturated", "invalid", "underflow", "flushed", "swamped"]
GAINS = [1, 64]


class Runner:
    """Runs guardbit and keeps the command lines as the page shows them."""

    def __init__(self, binary, windows):
        self.binary = binary
        self.windows = windows

    def replay(self, model, accelerator, variants, extra=()):
        shown = ["replay", model.shown, "-a", f"configs/accelerators/{accelerator}.toml", "--windows", str(self.windows)]
        shown += model.calibration + list(extra) + ["--variants", ",".join(variants), "--format", "json"]
        arguments = [model.paths.get(part, part) for part in shown]
        done = subprocess.run([self.binary, *arguments], cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"guardbit {' '.join(arguments)}\n{done.stderr}")
        return json.loads(done.stdout), "build/release/guardbit " + " ".join(shown)


class ReplayedModel:
    """A trace, what the page calls it, and its calibration trace {shown: path} if it is another one."""

    def __init__(self, name, trace, shown, calibration=None):
        self.name, self.paths, self.shown, self.setup = name, {shown: str(trace), **(calibration or {})}, shown, []
        self.calibration = [part for shown in (calibration or {}) for part in ("--calibration", shown)]


def number(value, digits=3):
    if value is None:
        return "not finite"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "| " + " | ".join("---" for _ in header) + " |"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def worse(variant, baseline):
    """No perplexity, or none lower than without the method."""
    return variant["perplexity"] is None or (
        baseline["perplexity"] is not None and variant["perplexity"] >= baseline["perplexity"])


def method_section(runner, model):
    lines, commands, rows, verdicts = [], [], [], []
    reference = None
    for width, (word, (accelerator, *keys)) in WIDTHS.items():
        result, command = runner.replay(model, accelerator, [method + word for method in METHODS], keys)
        commands.append(command)
        reference = result["reference"]["perplexity"]
        baseline = result["variants"][0]
        for method, variant in zip(METHODS, result["variants"]):
            events = variant["events"]
            rows.append([width, method, number(variant["perplexity"]), number(variant["sqnr_db"], 1),
                         number(100 * variant["top1_agreement"], 1), number(events["zeroed"]), number(events["clipped"]),
                         number(events["overflow"]), number(events["swamped"]), number(variant["cycles"])])
        useless = [method for method, variant in zip(METHODS[1:], result["variants"][1:]) if worse(variant, baseline)]
        if width != "fp32":
            verdicts.append(f"- {width}: " + ("every method lowers perplexity." if not useless else
                                              "no gain from " + ", ".join(useless) + "."))
    lines += [f"Perplexity of the fp32 reference: {number(reference)}.", ""]
    lines += table(["width", "method", "perplexity", "SQNR dB", "top-1 %", "zeroed", "clipped", "overflow", "swamped",
                    "cycles"], rows)
    lines += ["", "Against `none` at the same width:", "", *verdicts, ""]
    return lines, commands


def norm_events(variant, kind):
    return sum(op["events"][kind] for op in variant["ops"] if op["kind"] == "norm")


def norm_section(runner, model, gain):
    rows, commands, verdicts = [], [], []
    reference = None
    for label, keys in NORM_ACCUMULATORS.items():
        sets = [part for key in keys for part in ("--set", f"norm.accumulator.{key}")]
        result, command = runner.replay(model, "fp16", NORM_SCALES, ["--residual-gain", str(gain), *sets])
        commands.append(command)
        reference = result["reference"]["perplexity"]
        baseline = result["variants"][0]
        for variant in result["variants"]:
            rows.append([label, variant["name"], number(variant["perplexity"]), number(variant["sqnr_db"], 1),
                         *(number(norm_events(variant, kind)) for kind in NORM_EVENTS),
                         number(variant["cycles"])])
        useless = [variant["name"] for variant in result["variants"][1:] if worse(variant, baseline)]
        verdicts.append(f"- {label}: " + ("every scale lowers perplexity." if not useless else
                                          "no gain from " + ", ".join(useless) + "."))
    lines = [f"Perplexity of the fp32 reference: {number(reference)}. Events are those of the norms.", ""]
    lines += table(["norm accumulator", "scale", "perplexity", "SQNR dB", *NORM_EVENTS, "cycles"], rows)
    lines += ["", "Against `none` on the same accumulator:", "", *verdicts, ""]
    return lines, commands


def page(runner, models, skipped):
    lines = ["# Results on real models", "",
             "Written by `/usr/bin/python3 docs/make_results.py`; do not edit. The commands are at the end of each section.", "",
             f"Each replay takes the first {runner.windows} windows of its trace. Linear layers run on `edge.toml`'s array with an fp32 "
             "buffer behind the int32 sums, so that what differs is the method and the width; norms run on `fp16.toml`. The rows of "
             "width fp32 run on `fp32.toml`, where everything is binary32: they show that each method is an identity until "
             "something is rounded to fewer bits. *Not finite* without an overflow in the norms: their squares became 0, their "
             "outputs so large that attention's scores overflowed and the softmax gave NaN. The "
             "models are small: a method that is made for outliers of large models has little to mend here, and a "
             "difference in the third digit of a perplexity is within what another text would change.", ""]
    if skipped:
        lines += [skipped, ""]
    for model in models:
        body, commands = method_section(runner, model)
        lines += [f"## {model.name}: methods by width", "", *body, *("    " + command for command in model.setup + commands), ""]
        for gain in GAINS:
            body, commands = norm_section(runner, model, gain)
            lines += [f"## {model.name}: norm accumulators, residual gain {gain}", "", *body,
                      *("    " + command for command in commands), ""]
    return "\n".join(lines).rstrip() + "\n"


def included_model():
    return ReplayedModel("kjv-gpt2", ROOT / "traces/kjv-gpt2", "traces/kjv-gpt2")


def stories_model(runner, shared, directory):
    """stories260K on two texts of TinyStories: one to calibrate, one to evaluate."""
    source = "models/stories260k/stories260K.bin"
    tokenizer = "models/stories260k/tok512.bin"
    setup = []
    for name, text, windows in (("evaluation", "tinystories_sample_small.txt", 8), ("calibration", "tinystories_train_head.txt", 32)):
        options = ["--text", f"text/{text}", "--tokenizer", tokenizer, "--windows", str(windows)]
        subprocess.run([runner.binary, "capture", shared / source, "--text", shared / "text" / text, "--tokenizer", shared / tokenizer,
                        "--windows", str(windows), "-q", "-o", f"{directory}/{name}"], check=True, cwd=ROOT)
        setup.append(f"build/release/guardbit capture {source} {' '.join(options)} -o {name}    # in ../shared")
    model = ReplayedModel("stories260K", f"{directory}/evaluation", "evaluation", {"calibration": f"{directory}/calibration"})
    model.setup = setup
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "build/release/guardbit"))
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared")
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    runner = Runner(options.binary, options.windows)
    with tempfile.TemporaryDirectory() as directory:
        models, skipped = [included_model()], "../shared was not there: stories260K is left out."
        if options.shared.is_dir():
            models.append(stories_model(runner, options.shared, directory))
            skipped = ""
        text = page(runner, models, skipped)
    target = ROOT / "docs/results.md"
    if options.check:
        sys.exit(0 if target.is_file() and target.read_text() == text else "docs/results.md is not what the script writes")
    target.write_text(text)


if __name__ == "__main__":
    main()
