"""Jobs about voices. Each is a row first, so a job lost with its queue is found again by the sweep."""

from celery import shared_task

from voices.selectors import clips_pending
from voices.services import clip_render


@shared_task(time_limit=120)
def render_clip(clip_id: int) -> None:
    clip_render(clip_id=clip_id)


@shared_task(time_limit=30)
def sweep_clips() -> None:
    """Queue every clip that still waits. Run at start and every few minutes."""
    for clip_id in clips_pending():
        render_clip.delay(clip_id)
