"""Jobs about voices. Each is a row first, so a job lost with its queue is found again by the sweep."""

import logging

from celery import shared_task
from kombu.exceptions import OperationalError

from voices.services import HARD_LIMIT_S, SOFT_LIMIT_S, clip_queued, clip_render, clips_due

logger = logging.getLogger(__name__)


@shared_task(soft_time_limit=SOFT_LIMIT_S, time_limit=HARD_LIMIT_S)
def render_clip(clip_id: int) -> None:
    clip_render(clip_id=clip_id)


@shared_task(soft_time_limit=50, time_limit=60)
def sweep_clips(at_start: bool = False) -> None:
    """Queue every clip that is due. At start and every minute."""
    for clip_id in clips_due(at_start=at_start):
        try:
            render_clip.delay(clip_id)
        except (OperationalError, OSError) as error:
            logger.warning("the queue cannot be reached (%s); clips wait for the next sweep", type(error).__name__)
            return
        clip_queued(clip_id=clip_id)
