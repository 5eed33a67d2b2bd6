"""The figures of a load test, as JSON-ready data."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from scripts.calls.crowd import CrowdResult, Outcome

STAGES = ("post", "socket", "ready")


def percentiles(values: ArrayLike) -> dict[str, float]:
    """p50, p95, p99 and the greatest; empty without values."""
    values = np.asarray(values, dtype=np.float64)
    if not len(values):
        return {}
    cuts = np.percentile(values, [50, 95, 99])
    shown = {"p50": cuts[0], "p95": cuts[1], "p99": cuts[2], "max": values.max()}
    return {name: round(float(value), 2) for name, value in shown.items()}


def figures(results: Sequence[CrowdResult], *, full_from_s: float, slow_from_s: float | None) -> dict[str, Any]:
    """Of all client processes together. `full_from_s`: when all steady callers were there; `slow_from_s`: when callers
    that read nothing joined."""
    outcomes = [outcome for result in results for outcome in result.outcomes]
    normal = [outcome for outcome in outcomes if outcome.kind != "slow"]
    added = np.concatenate([result.added_ms for result in results])
    arrived = np.concatenate([result.arrived_s for result in results])
    excluded = sum(result.excluded for result in results)
    report = {
        "calls": _calls(normal),
        "stages_ms": {
            **{
                f"open_{name}": percentiles([o.opened_ms[name] for o in normal if name in o.opened_ms])
                for name in STAGES
            },
            "first_audio": percentiles([o.first_audio_ms for o in normal if o.first_audio_ms is not None]),
            "added_per_packet": percentiles(added),
            "added_per_packet_once_all_are_there": percentiles(added[arrived >= full_from_s]),
        },
        "packets": _packets(normal),
        "gaps_over_100_ms": _gaps(normal),
        "errors": dict(sum((outcome.errors for outcome in normal), Counter[str]())),
        "foreign_audio": _foreign(outcomes),
        "client": {
            "pacing_error_ms": percentiles(np.concatenate([result.pacing_ms for result in results])),
            "packets_excluded_because_the_client_was_late": excluded,
            "cpu_seconds": round(sum(result.cpu_s for result in results), 1),
            "share_excluded": round(excluded / max(1, excluded + len(added)), 4),
        },
    }
    if slow_from_s is not None:
        before = added[(arrived >= full_from_s) & (arrived < slow_from_s)]
        report["slow_consumer"] = _slow(outcomes, before, added[arrived >= slow_from_s])
    return report


def _calls(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    refused = Counter(outcome.refused for outcome in outcomes if outcome.refused)
    failed = Counter(outcome.failed for outcome in outcomes if outcome.failed)
    wanted = len(outcomes)
    served = wanted - sum(refused.values()) - sum(failed.values())
    return {
        "wanted": wanted,
        "served": served,
        "served_share": round(served / max(1, wanted), 4),
        "refused": dict(refused),
        "failed": dict(failed),
        "storm": sum(outcome.kind == "storm" for outcome in outcomes),
        "resumed": sum(outcome.resumed for outcome in outcomes),
    }


def _packets(outcomes: Iterable[Outcome]) -> dict[str, int]:
    outcomes = list(outcomes)
    return {
        "sent": sum(outcome.sent for outcome in outcomes),
        "returned": sum(outcome.returned for outcome in outcomes),
        "dropped_and_told": sum(outcome.dropped_and_told for outcome in outcomes),
        "lost_silently": sum(outcome.lost_silently for outcome in outcomes),
        "not_sent": sum(outcome.unsent for outcome in outcomes),
    }


def _gaps(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    gaps = [ms for outcome in outcomes for ms in outcome.gaps_ms]
    calls = sum(bool(outcome.gaps_ms) for outcome in outcomes)
    return {"count": len(gaps), "calls_with_any": calls, "longest_ms": round(max(gaps, default=0.0))}


def _foreign(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    kinds = Counter(kind.split()[0] for outcome in outcomes for kind in outcome.foreign)
    return {"packets": sum(kinds.values()), "calls": sum(bool(o.foreign) for o in outcomes), "kinds": dict(kinds)}


def _slow(outcomes: Sequence[Outcome], before_ms: ArrayLike, while_ms: ArrayLike) -> dict[str, Any]:
    slow = [outcome for outcome in outcomes if outcome.kind == "slow"]
    return {
        "callers": len(slow),
        "close_codes": dict(Counter(str(outcome.close_code) for outcome in slow)),
        "others_added_ms_before": percentiles(before_ms),
        "others_added_ms_while": percentiles(while_ms),
    }
