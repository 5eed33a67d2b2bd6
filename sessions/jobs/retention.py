"""Transcripts whose time is over are taken away."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from sessions.models import Turn, VoiceSession

logger = logging.getLogger(__name__)

BATCH = 200


def transcripts_expire() -> int:
    """Deletes what was said in conversations that ended longer ago than `TRANSCRIPT_DAYS`, or for guests
    `GUEST_TRANSCRIPT_DAYS`; 0 keeps it. Returns how many conversations lost their words."""
    return _expire(Q(user__isnull=False), settings.TRANSCRIPT_DAYS) + _expire(
        Q(user__isnull=True), settings.GUEST_TRANSCRIPT_DAYS
    )


def _expire(whose: Q, days: int) -> int:
    if not days:
        return 0
    said = Q(Exists(Turn.objects.filter(session=OuterRef("pk")))) | ~Q(summary="") | ~Q(mind_state={})
    over = VoiceSession.objects.filter(
        whose, said, state=VoiceSession.State.ENDED, ended_at__lt=timezone.now() - timedelta(days=days)
    )
    count = 0
    while batch := list(over.values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            Turn.objects.filter(session__in=batch).delete()
            VoiceSession.objects.filter(pk__in=batch).update(summary="", mind_state={})
        count += len(batch)
    if count:
        logger.info("the transcripts of %d conversations were older than %d days and are gone", count, days)
    return count
