"""Saved outputs reproduced: what the engine gave when the file was written it gives today.

`python -m tests.inference.test_engine_golden` writes the file anew, after a change that is meant to change it.
"""

import json
from pathlib import Path
from typing import Any

from inference.engine.plans import Limits, StreamPlan
from inference.models.sampling import Sampling
from tests.inference.engine_calls import checkpoints, random_codes, run

GOLDEN = Path(__file__).parent / "goldens" / "engine.json"
WARM = Sampling(0.7, 12)


def calls() -> dict[str, Any]:
    """One call per mode, drawn with seeds; all but the duplex one side by side on one engine."""
    made = checkpoints()
    engine = made.engine()
    limits = Limits(max_new_positions=24, max_text_run=5)
    turn = engine.open(StreamPlan("turn", "You are a fox.", text=WARM, audio=WARM, seed=1, limits=limits))
    engine.push_codes(turn, random_codes(9))
    mouth = engine.open(StreamPlan("mouth", "You are an owl.", text=WARM, audio=WARM, seed=2, limits=limits))
    ears = engine.open(StreamPlan("ears", text=WARM, seed=3, limits=limits))
    engine.push_codes(ears, random_codes(7, seed=4))
    for stream in (turn, mouth, ears):
        engine.begin_answer(stream)
    engine.push_words(mouth, ["Well", " met"])
    engine.end_words(mouth)
    records = run(engine, 40)
    duplex_engine = made.engine(made.duplex)
    duplex = duplex_engine.open(StreamPlan("duplex", "Hm.", text=WARM, audio=WARM, limits=limits, missing_user="hold"))
    user = random_codes(12, seed=6)
    duplex_records = run(duplex_engine, 12, lambda tick: duplex_engine.push_codes(duplex, user[:, tick : tick + 1]))
    found = {"turn": records[turn], "mouth": records[mouth], "ears": records[ears], "duplex": duplex_records[duplex]}
    return {name: {"context": record.context, "finished": record.finished} for name, record in found.items()}


def test_the_calls_of_the_golden_file_come_out_as_written() -> None:
    assert calls() == json.loads(GOLDEN.read_text(encoding="utf-8"))


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(calls()) + "\n", encoding="utf-8")
