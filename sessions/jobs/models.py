"""Jobs about conversations, and what conversations amounted to."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class SessionJob(models.Model):
    """Something to be done once about a conversation. The row is the job; a queue only makes it quick."""

    class Kind(models.TextChoices):
        FINALISE = "finalise", _("settle the transcript")
        SUMMARISE = "summarise", _("sum up")
        SETTLE = "settle", _("settle the usage")

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    session = models.ForeignKey("voice_sessions.VoiceSession", on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    state = models.CharField(max_length=7, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(help_text=_("Not before. While it runs: when its process counts as gone."))
    queued_at = models.DateTimeField(null=True, blank=True, help_text=_("When a queue was last told of it."))
    error = models.CharField(max_length=200, blank=True, help_text=_("Of the last attempt."))
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        constraints = [models.UniqueConstraint(fields=["session", "kind"], name="one_job_of_a_kind")]
        indexes = [models.Index(fields=["state", "due_at"], name="job_by_state_and_due")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.session_id}"


class SessionUsage(models.Model):
    """What a conversation amounted to, ready to be billed. It outlives the conversation and holds none of its words."""

    session_id = models.UUIDField(unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="session_usages"
    )
    character = models.CharField(max_length=80, help_text=_("Its slug."))
    seconds = models.PositiveIntegerField(help_text=_("Whole seconds in which somebody was heard: what is billed."))
    heard_seconds = models.FloatField(help_text=_("Speech of the character that was heard."))
    user_seconds = models.FloatField(help_text=_("Speech of the listener."))
    num_turns = models.PositiveIntegerField()
    ended_at = models.DateTimeField(db_index=True)
    settled_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-ended_at"]
        verbose_name = _("usage")
        verbose_name_plural = _("usage")

    def __str__(self) -> str:
        return f"{self.character} · {self.seconds} s"
