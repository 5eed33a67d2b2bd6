"""What the bundled voice can do: prints JSON (see `inference.training.evaluate`).

    .venv/bin/python -m scripts.bench_voice [--limit 40]

Forty of the held-out sentences by a man and a woman, beside teacher and codec, their styles and their singing, and how
fast sentences are made with 1, 4, 8 and 16 streams.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SENTENCES = ROOT / "inference" / "training" / "heldout.tsv"
VOICES = ("rms", "slt")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=40)
    options = parser.parse_args()
    command = [sys.executable, "-m", "inference.training.evaluate", "--sentences", str(SENTENCES)]
    command += ["--limit", str(options.limit), "--teachers", "--styles", "--singing", "--speed"]
    for voice in VOICES:
        command += ["--voice", voice]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
