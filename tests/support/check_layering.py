"""Fails if a file includes a layer that its own layer must not know (docs/architecture.md).

Usage: /usr/bin/python3 check_layering.py SOURCE_DIR
"""
import re
import sys
from pathlib import Path

# A layer may include itself and the layers listed; "models" stands for all of models/.
ALLOWED = {
    "models/numerics": [],
    "models/arith": ["models/numerics"],
    "models/kernels": ["models/arith", "models/numerics"],
    "models/units": ["models/kernels", "models/arith", "models/numerics"],
    "models/transformer": ["models/units", "models/kernels", "models/arith", "models/numerics"],
    "models/calibration": ["models/transformer", "models/units", "models/kernels", "models/arith", "models/numerics"],
    "sim/base": ["models"],
    "sim/stats": ["sim/base", "models"],
    "sim/trace": ["sim/stats", "sim/base", "models"],
    "sim/config": ["sim/stats", "sim/base", "models"],
    "sim/modules": ["sim/stats", "sim/base", "models"],
    "sim/schedule": ["sim/modules", "sim/stats", "sim/base", "models"],
    "sim/replay": ["sim/schedule", "sim/modules", "sim/config", "sim/trace", "sim/stats", "sim/base", "models"],
    "sim/conform": ["sim/config", "sim/stats", "sim/base", "models"],
    "sim/probe": ["sim/modules", "sim/config", "sim/trace", "sim/stats", "sim/base", "models"],
    "sim/report": ["sim/trace", "sim/stats", "sim/base", "models"],
    "sim/sweep": ["sim/report", "sim/replay", "sim/config", "sim/trace", "sim/stats", "sim/base", "models"],
    "sim/regress": ["sim/report", "sim/replay", "sim/probe", "sim/config", "sim/trace", "sim/stats", "sim/base", "models"],
    "sim/python": ["sim/report", "sim/replay", "sim/probe", "sim/config", "sim/trace", "sim/stats", "sim/base", "models"],
    "sim/cli": ["sim", "models"],
}
# External headers that only some layers may include.
EXTERNAL = {
    r"(systemc|tlm)": ["sim/modules", "sim/replay"],
    r"toml\+\+/": ["sim/config"],
    r"nlohmann/": ["sim/trace", "sim/report", "sim/sweep", "sim/regress"],
    r"sqlite3": ["sim/sweep"],
    r"CLI/": ["sim/cli"],
    r"pybind11/": ["sim/python"],
    r"hwy/": ["models/kernels"],
    r"openssl/": ["sim/base"],
    r"fmt/": [layer for layer in ALLOWED if layer.startswith("sim/")],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def problems_of(source: Path, root: Path) -> list[str]:
    relative = source.relative_to(root)
    layer = "/".join(relative.parts[:2])
    found = []
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        header = match.group(1)
        if header.startswith(("models/", "sim/", "tests/")):
            target = "/".join(header.split("/")[:2])
            allowed = [layer, *ALLOWED[layer]]
            if target not in allowed and target.split("/")[0] not in allowed:
                found.append(f"{relative}:{number}: {layer} must not include {header}")
        for pattern, layers in EXTERNAL.items():
            if re.match(pattern, header) and layer not in layers:
                found.append(f"{relative}:{number}: {header} is only for {', '.join(layers)}")
    return found


def main() -> int:
    root = Path(sys.argv[1])
    sources = [p for top in ("models", "sim") for p in sorted((root / top).rglob("*")) if p.suffix in (".h", ".cpp", ".in")]
    unknown = sorted({"/".join(p.relative_to(root).parts[:2]) for p in sources} - set(ALLOWED))
    found = [f"{layer}: not in check_layering.py" for layer in unknown]
    for source in sources:
        if "/".join(source.relative_to(root).parts[:2]) in ALLOWED:
            found += problems_of(source, root)
    print("\n".join(found) or f"{len(sources)} files: every include follows the layers")
    return 1 if found or not sources else 0


if __name__ == "__main__":
    sys.exit(main())
