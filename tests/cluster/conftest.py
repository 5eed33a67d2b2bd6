import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from scripts.cluster.cluster import Cluster
from scripts.cluster.plan import COMPOSED, ECHO, ClusterPlan
from scripts.cluster.programs import missing
from scripts.fault_suite.stage import Stage
from scripts.faults import ENVIRONMENT


def _cluster(plan: ClusterPlan, logs: Path) -> Iterator[Cluster]:
    lacking = missing()
    if lacking:
        pytest.skip(f"a cluster cannot be started: {lacking}")
    if os.name != "posix" or not Path("/proc/self/stat").exists():
        pytest.skip("a cluster needs Linux")
    with Cluster(plan, logs=logs) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two web processes and two workers, without jobs; the voice is the quickest one."""
    plan = ClusterPlan(lanes=(COMPOSED,), jobs=False, fsync=False, environment=ENVIRONMENT)
    yield from _cluster(plan, tmp_path_factory.mktemp("cluster"))


@pytest.fixture(scope="module")
def whole_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """What the fault suite disturbs."""
    plan = ClusterPlan(lanes=(COMPOSED, ECHO), slots=32, environment=ENVIRONMENT)
    yield from _cluster(plan, tmp_path_factory.mktemp("cluster"))


@pytest.fixture
async def stage(cluster: Cluster) -> AsyncIterator[Stage]:
    async with Stage(cluster) as stage:
        yield stage


@pytest.fixture
async def whole_stage(whole_cluster: Cluster) -> AsyncIterator[Stage]:
    async with Stage(whole_cluster) as stage:
        yield stage
