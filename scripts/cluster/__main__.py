"""`make serve-cluster`: the product as a deployment on this machine, until Ctrl-C."""

import argparse
import signal
import sys
import threading
from types import FrameType

from scripts.cluster.cluster import LOGS, Cluster
from scripts.cluster.plan import COMPOSED, ECHO, ClusterPlan
from scripts.cluster.programs import MissingProgram
from scripts.cluster.waiting import ClusterFailed


def say(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--web", type=int, default=2, help="web processes")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slots", type=int, default=8, help="calls that each worker may hold")
    parser.add_argument("--lane", choices=[COMPOSED, ECHO], default=COMPOSED)
    parser.add_argument("--no-jobs", action="store_true", help="without Celery")
    parser.add_argument("--no-fsync", action="store_true", help="a faster database that a power cut may spoil")
    options = parser.parse_args()
    if not 0 < options.port < 65536:
        parser.error(f"--port {options.port} is no port; choose one in 1..65535")
    plan = ClusterPlan(
        lanes=(options.lane,),
        web=options.web,
        workers=options.workers,
        slots=options.slots,
        jobs=not options.no_jobs,
        fsync=not options.no_fsync,
        host=options.host,
        port=options.port,
    )
    wanted = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        wanted.set()

    cluster = Cluster(plan, say=say)
    try:
        with cluster:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, ask)
            say(f"Troupe is at http://{options.host}:{options.port} - press Ctrl-C to stop. Logs are in {LOGS}.")
            wanted.wait()
            say("Stopping ...")
    except (MissingProgram, ClusterFailed) as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    say("Stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
