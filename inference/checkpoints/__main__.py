"""`python -m inference.checkpoints pull ID [--revision COMMIT]`: the only place that downloads."""

import argparse
import sys

from inference.checkpoints.errors import CheckpointError
from inference.checkpoints.locate import pull


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m inference.checkpoints", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    pulling = commands.add_parser("pull", help="download a checkpoint from the hub")
    pulling.add_argument("id", help="such as maitrix-org/Voila-chat")
    pulling.add_argument("--revision", help="a commit; without it, what the hub calls main")
    options = parser.parse_args()
    try:
        folder = pull(options.id, options.revision)
    except CheckpointError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    # The hub names a snapshot's folder after its commit: this is what to pin.
    sys.stdout.write(f"{folder}\nrevision {folder.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
