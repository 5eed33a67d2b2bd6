"""Every measurement, one after another: each prints JSON, all of it goes to one file.

A bench that needs a program this machine lacks says so in its place and the others go on.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BENCHES = ["bench_response", "bench_platform", "bench_ears", "bench_effects", "bench_singing"]
BENCHES += ["bench_voice", "bench_model"]
LIMIT_S = 1200


def run(name: str) -> dict[str, Any]:
    """What the bench printed, or why it printed nothing."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", f"scripts.{name}"]
    start = time.monotonic()
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"not finished within {LIMIT_S} s"}
    print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    if done.returncode:
        return {"error": done.stderr.strip()[-2000:] or f"exit {done.returncode}"}
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("names", nargs="*", default=BENCHES, help=f"of: {', '.join(BENCHES)}")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(BENCHES))
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}")
    results = {name: run(name) for name in options.names}
    text = json.dumps(results, indent=2, ensure_ascii=False)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    return 1 if any("error" in result for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
