"""What a worker says about itself every two seconds."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.client import EMBEDDED_URL

MOST_LEASES = 4_096

Name = Annotated[str, Field(min_length=1, max_length=120)]
Count = Annotated[int, Field(ge=0, le=100_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[float, Field(ge=0, le=1e6)]


class WorkerReport(BaseModel):
    """Unknown keys are ignored: a newer worker may say more."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    id: Name
    incarnation: Annotated[str, Field(min_length=1, max_length=64)]
    url: Annotated[str, Field(max_length=255, pattern=r"^(embedded:|wss?://[^\s/]+(/\S*)?)$")]
    version: Annotated[str, Field(max_length=40)] = ""
    purpose: Literal["live", "batch"] = "live"
    lanes: tuple[Name, ...]
    languages: tuple[Name, ...] = ("*",)
    slots: Count
    slots_open: Count
    """Streams it would take more now, by the time of its own ticks."""

    in_use: Count = 0
    tick_p99_ms: Milliseconds = 0.0
    frame_ms: Milliseconds = 40.0
    late_share: Share = 0.0
    draining: bool = False
    clock: Annotated[float, Field(ge=0, le=1e11)]
    """Its own clock, seconds since 1970."""

    leases: (
        Annotated[tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")], ...], Field(max_length=MOST_LEASES)] | None
    )
    """Ids of the leases of its streams. None: it does not count them, and counts every stream there is."""

    @property
    def is_embedded(self) -> bool:
        return self.url == EMBEDDED_URL
