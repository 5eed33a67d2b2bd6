"""The record of conversations."""

import uuid

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from characters.models import Character, CharacterVersion
from sessions.jobs.models import SessionJob, SessionUsage

__all__ = ["ClientSecret", "Lease", "Pulse", "SessionJob", "SessionUsage", "Turn", "VoiceSession", "WorkerNode"]


class VoiceSession(models.Model):
    """One conversation of one listener with one character."""

    class State(models.TextChoices):
        CREATED = "created", _("created")
        LIVE = "live", _("live")
        ENDED = "ended", _("ended")

    class Origin(models.TextChoices):
        WEB = "web", _("web page")
        API = "api", _("API")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    character = models.ForeignKey(Character, on_delete=models.PROTECT, related_name="sessions")
    version = models.ForeignKey(CharacterVersion, on_delete=models.PROTECT, related_name="sessions")
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="voice_sessions")
    guest_key = models.CharField(max_length=64, blank=True, help_text=_("Digest of a guest's cookie."))
    origin = models.CharField(max_length=3, choices=Origin.choices, default=Origin.WEB)
    state = models.CharField(max_length=7, choices=State.choices, default=State.CREATED)
    language = models.CharField(max_length=10, default="en", help_text=_("Of the page it was started from."))
    voice = models.CharField(max_length=80, blank=True, help_text=_("Chosen instead of the character's own."))
    style = models.CharField(max_length=80, blank=True, help_text=_("Chosen instead of the character's own."))
    token_digest = models.CharField(max_length=64, blank=True, editable=False)
    token_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.CharField(max_length=20, blank=True)
    heard_seconds = models.FloatField(default=0, help_text=_("Speech of the character that was sent."))
    user_seconds = models.FloatField(default=0, help_text=_("Speech of the listener."))
    summary = models.TextField(blank=True, help_text=_("A line or two about it, made once it is over."))
    holder = models.CharField(max_length=120, blank=True, editable=False, help_text=_("The web process it lives in."))
    holder_url = models.CharField(max_length=255, blank=True, editable=False)
    holder_fence = models.PositiveIntegerField(
        default=0, editable=False, help_text=_("Raised with each change of holder: only its newest writes count.")
    )
    holder_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    stream_fence = models.PositiveIntegerField(
        default=0, editable=False, help_text=_("Raised with each stream to a worker: only the newest is heard.")
    )
    mind_state = models.JSONField(default=dict, blank=True, editable=False)
    end_requested_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        permissions = [("operate", "Can watch and drain workers and end calls")]
        constraints = [
            models.CheckConstraint(
                condition=Q(user=None) | Q(guest_key=""),
                name="a_listener_is_a_user_or_a_guest",
            )
        ]
        indexes = [
            models.Index(fields=["guest_key", "-created_at"], name="session_by_guest"),
            models.Index(fields=["user", "-created_at"], name="session_by_user"),
            models.Index(fields=["state", "last_seen_at"], name="session_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.character} · {self.created_at:%Y-%m-%d %H:%M}"

    def get_absolute_url(self) -> str:
        return reverse("session-history", args=[self.pk])

    @property
    def duration_s(self) -> float:
        """From its start to its end, or to now while it is live; 0 when it never started."""
        if self.started_at is None:
            return 0.0
        end = self.ended_at or (timezone.now() if self.state == self.State.LIVE else self.last_seen_at)
        return max(0.0, ((end or self.started_at) - self.started_at).total_seconds())


class Turn(models.Model):
    """One speaker's stretch in a conversation."""

    class Speaker(models.TextChoices):
        USER = "user", _("listener")
        CHARACTER = "character", _("character")

    session = models.ForeignKey(VoiceSession, on_delete=models.CASCADE, related_name="turns")
    index = models.PositiveIntegerField(help_text=_("Order in the conversation; numbers may be left out."))
    item_id = models.CharField(max_length=80)
    speaker = models.CharField(max_length=9, choices=Speaker.choices)
    text = models.TextField(help_text=_("What was heard."))
    full_text = models.TextField(blank=True, help_text=_("What was said or going to be said."))
    interrupted = models.BooleanField(default=False)
    typed = models.BooleanField(default=False)
    started_ms = models.PositiveIntegerField(help_text=_("Since the start of the conversation."))
    ended_ms = models.PositiveIntegerField()
    words = models.JSONField(default=list, blank=True, help_text=_("Each word with its start and end in ms."))
    latency = models.JSONField(default=dict, blank=True, help_text=_("Stages in ms after the listener's voice."))
    response_ms = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("End of the listener's voice to first audio sent, ms.")
    )

    class Meta:
        ordering = ["session", "index"]
        constraints = [models.UniqueConstraint(fields=["session", "index"], name="one_turn_per_index")]

    def __str__(self) -> str:
        return f"{self.get_speaker_display()} {self.index}"


class WorkerNode(models.Model):
    """An inference worker as it last announced itself."""

    class Purpose(models.TextChoices):
        LIVE = "live", _("live calls")
        BATCH = "batch", _("clips and other jobs")

    id = models.CharField(primary_key=True, max_length=120)
    incarnation = models.CharField(max_length=64, help_text=_("Of its process: a new one has no stream of the old."))
    url = models.CharField(max_length=255)
    version = models.CharField(max_length=40, blank=True)
    purpose = models.CharField(max_length=5, choices=Purpose.choices, default=Purpose.LIVE)
    lanes = models.JSONField(default=list, blank=True)
    languages = models.JSONField(default=list, blank=True)
    slots = models.PositiveIntegerField(help_text=_("Streams it has room for."))
    slots_open = models.PositiveIntegerField(help_text=_("Streams it would take more, by the time of its own ticks."))
    in_use = models.PositiveIntegerField(default=0)
    tick_p99_ms = models.FloatField(default=0)
    frame_ms = models.FloatField(default=40)
    late_share = models.FloatField(default=0, help_text=_("Of its ticks, lately."))
    draining = models.BooleanField(default=False, help_text=_("It says so itself."))
    drain_requested = models.BooleanField(default=False, help_text=_("It takes no new calls and gives away its own."))
    clock_offset_s = models.FloatField(default=0, help_text=_("Its clock minus the database's."))
    started_at = models.DateTimeField(help_text=_("First heard of in this incarnation."))
    heartbeat_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["id"]
        verbose_name = _("worker")
        verbose_name_plural = _("workers")

    def __str__(self) -> str:
        return self.id


class Lease(models.Model):
    """A slot of a worker, promised to one stream of one session."""

    class State(models.TextChoices):
        RESERVED = "reserved", _("reserved")
        LIVE = "live", _("live")
        SETTLED = "settled", _("settled")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(VoiceSession, on_delete=models.CASCADE, related_name="leases")
    worker = models.ForeignKey(WorkerNode, on_delete=models.CASCADE, related_name="leases")
    fence = models.PositiveIntegerField(help_text=_("The session's stream number."))
    state = models.CharField(max_length=8, choices=State.choices, default=State.RESERVED)
    reported = models.BooleanField(default=False, help_text=_("The worker counts it in what it announces."))
    reserved_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_reason = models.CharField(max_length=20, blank=True)

    class Meta:
        ordering = ["-reserved_at"]
        verbose_name = _("lease")
        verbose_name_plural = _("leases")
        constraints = [
            models.UniqueConstraint(
                fields=["session", "fence"], condition=~Q(state="settled"), name="one_open_lease_per_stream"
            )
        ]
        indexes = [
            models.Index(fields=["worker"], condition=~Q(state="settled"), name="open_lease_by_worker"),
            models.Index(fields=["expires_at"], condition=~Q(state="settled"), name="open_lease_by_expiry"),
            models.Index(fields=["worker", "settled_at"], name="lease_by_settlement"),
        ]

    def __str__(self) -> str:
        return f"{self.id.hex[:8]} · {self.worker_id}"


class Pulse(models.Model):
    """One row: since when the database has been reachable without a gap. After a gap nobody is called dead at once."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    beat_at = models.DateTimeField()
    steady_since = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_pulse")]

    def __str__(self) -> str:
        return f"{self.steady_since:%Y-%m-%d %H:%M:%S}"


class ClientSecret(models.Model):
    """A short-lived key (`ek_...`) for a socket of a browser or an app. Only its digest is kept."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="client_secrets")
    guest_key = models.CharField(max_length=64, blank=True)
    character = models.ForeignKey(Character, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    session = models.JSONField(default=dict, blank=True, help_text=_("Settings of each session it opens."))
    expires_at = models.DateTimeField(db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"ek_… {self.created_at:%Y-%m-%d %H:%M}"
