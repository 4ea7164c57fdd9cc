"""Good files that are too large, have more names than one, or hardly go together: GEN-07, PATH-05, CFG-15."""
import os
import subprocess


def run_policy_cases(work):
    """One message for every command that does not end as it should."""
    problems = []

    def expect(exit_code, message, *command):
        done = subprocess.run([work.guardbit, *command], cwd=work.path, capture_output=True, text=True, check=False)
        if done.returncode != exit_code or message not in done.stderr or (not message and done.stderr):
            problems.append(f"guardbit {' '.join(command)}: exit {done.returncode}, expected {exit_code}\n"
                            f"  said: {done.stderr}  expected: {message}")

    replay = ("replay", "small", "-a", "a.toml", "--variants", "none", "--quiet")
    weights = (work.path / "small/weights.safetensors").stat().st_size
    # GEN-07: the limit is the largest size that is accepted, for every file that is read.
    expect(69, f"small/weights.safetensors: got a file of {weights} bytes; expected at most {weights - 1} (--max-input)",
           *replay, "--max-input", str(weights - 1))
    expect(0, "", *replay, "--max-input", str(weights))
    expect(0, "", *replay, "--max-input", "64KiB")
    expect(69, "expected at most 1000 (--max-input)", *replay, "--max-input", "1kB")
    expect(69, "a.toml: got a file of 30 bytes; expected at most 9 (--max-input)", "config", "check", "a.toml", "--max-input", "9")
    expect(69, "(--max-input)", "sweep", "status", "store", "--max-input", "9")
    for wrong in ("10x", "-1", "", "1e3"):
        expect(2, "--max-input", *replay, "--max-input", wrong)
    with open(work.path / "huge.npy", "wb") as file:
        file.truncate(1 << 40)  # takes no space
    expect(69, "huge.npy: got a file of 1099511627776 bytes", "capture", "m.bin", "--tokens", "huge.npy", "-o", "never",
           "--max-input", "1GiB")
    # PATH-05: another name of a bundle's file.
    os.link(work.path / "small/weights.safetensors", work.path / "other-name")
    found = "small/weights.safetensors: got a file with 2 names (hard links)"
    expect(0, "guardbit: warning: " + found, *replay)
    expect(65, found + "; expected one of its own", *replay, "--strict")
    os.unlink(work.path / "other-name")
    expect(0, "", *replay, "--strict")
    work.write("shards/model.safetensors.index.json", b'{"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}')
    os.link(work.path / "shards/one.safetensors", work.path / "other-name")
    expect(65, "shards/one.safetensors: got a file with 2 names", "capture", "shards", "--tokens", "tokens.json", "-o",
           "never", "--strict")
    # CFG-15: sizes are the trace's own, but its epsilon may be below what the norm's arithmetic holds.
    expect(0, "warning: norm.arithmetic: the trace's epsilon 1e-05 becomes 0 in fp8_e4m3", *replay, "--set",
           "norm.arithmetic=fp8_e4m3")
    return problems
