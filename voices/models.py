"""How they sound: the library of voices, style presets, and clips rendered ahead of time."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from voices.timbre import TIMBRE


def _number(default: float, low: float, high: float, help_text: str = "") -> "models.FloatField[float, float]":
    """Bounds as in `inference.protocol`, so that the admin refuses what a worker would."""
    return models.FloatField(
        default=default, validators=[MinValueValidator(low), MaxValueValidator(high)], help_text=help_text
    )


class Titled(models.Model):
    """A slug and a name in both languages of the site."""

    slug = models.SlugField(unique=True)
    title_en = models.CharField(max_length=80)
    title_zh = models.CharField(max_length=80, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.title_en

    @property
    def title(self) -> str:
        """In the language of the page."""
        return self.title_zh if (get_language() or "").startswith("zh") and self.title_zh else self.title_en


class Voice(Titled):
    """How someone sounds (inference.protocol.VoiceSpec)."""

    class Gender(models.TextChoices):
        FEMALE = "female", _("female")
        MALE = "male", _("male")
        NEUTRAL = "neutral", _("neutral")

    class Age(models.TextChoices):
        CHILD = "child", _("child")
        YOUNG = "young", _("young")
        ADULT = "adult", _("adult")
        OLD = "old", _("old")

    description_en = models.CharField(max_length=200, blank=True)
    description_zh = models.CharField(max_length=200, blank=True)
    language = models.CharField(max_length=20, default="en-us")
    gender = models.CharField(max_length=10, choices=Gender.choices, default=Gender.NEUTRAL)
    age = models.CharField(max_length=10, choices=Age.choices, default=Age.ADULT)
    tags = models.JSONField(default=list, blank=True)
    variant = models.CharField(max_length=30, blank=True, help_text=_("Timbre of the formant mouth, such as f3."))
    timbre = models.CharField(
        max_length=80,
        blank=True,
        validators=[RegexValidator(TIMBRE, _("Write speakers and their shares, such as slt:2 alto:1."))],
        help_text=_("Speakers of the bundled voice and their shares, such as slt:2 alto:1. Empty: nearest in pitch."),
    )
    pitch_hz = _number(120.0, 50, 500, "Median F0 of neutral speech, Hz.")
    pitch_range = _number(1.0, 0, 3, "Movement of F0; 1 is the mouth's own.")
    words_per_minute = _number(165.0, 60, 400)
    formant_ratio = _number(1.0, 0.7, 1.4, "Above 1: a smaller speaker.")

    class Meta:
        ordering = ["slug"]


class StylePreset(Titled):
    """How it is delivered (inference.protocol.StyleSpec)."""

    rate = _number(1.0, 0.5, 2.0)
    pitch_semitones = _number(0.0, -12, 12)
    pitch_range = _number(1.0, 0, 3)
    level_db = _number(0.0, -30, 9)
    whisper = _number(0.0, 0, 1)
    pause_scale = _number(1.0, 0.25, 4)
    instruction = models.TextField(blank=True, help_text=_("What a language model is told about this delivery."))

    class Meta:
        ordering = ["slug"]


class Clip(models.Model):
    """A line rendered to a file: the row is the job, so nothing is lost when a process ends."""

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    digest = models.CharField(max_length=64, unique=True, help_text=_("Of everything that shapes the sound."))
    text = models.TextField()
    voice = models.ForeignKey(Voice, on_delete=models.CASCADE, related_name="clips")
    style = models.ForeignKey(StylePreset, on_delete=models.CASCADE, related_name="clips")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    file = models.FileField(upload_to="clips/", blank=True)
    seconds = models.FloatField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(
        db_default=Now(), help_text=_("Not before. While it is rendered: when its process counts as gone.")
    )
    queued_at = models.DateTimeField(null=True, blank=True, help_text=_("When a queue was last told of it."))
    error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["state", "due_at"], name="clip_by_state_and_due")]

    def __str__(self) -> str:
        return f"{self.voice} · {self.style} · {self.digest[:8]}"
