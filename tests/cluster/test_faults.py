"""The fault suite as tests: minutes, and a machine with nothing else to do. `pytest -m faults tests/cluster`."""

import pytest

from scripts.fault_suite.fault import Fault, run
from scripts.fault_suite.stage import Stage
from scripts.faults import FAULTS

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_what_is_heard_of_a_fault_is_bearable_and_nothing_is_lost(whole_stage: Stage, fault: Fault) -> None:
    report = await run(whole_stage, fault)
    assert report["verdict"] == "passed", report
