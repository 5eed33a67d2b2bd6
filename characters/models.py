"""Who is played: a character and its versions."""

from django.db import models
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from voices.models import Clip, StylePreset, Voice


def _in_chinese() -> bool:
    return (get_language() or "").startswith("zh")


class Character(models.Model):
    """What the catalogue shows. Everything it says and does is in its current version."""

    slug = models.SlugField(unique=True)
    name_en = models.CharField(max_length=80)
    name_zh = models.CharField(max_length=80, blank=True)
    tagline_en = models.CharField(max_length=200)
    tagline_zh = models.CharField(max_length=200, blank=True)
    about_en = models.TextField(blank=True)
    about_zh = models.TextField(blank=True)
    portrait = models.CharField(max_length=100, blank=True, help_text=_("A file of static/portraits/."))
    accent = models.CharField(max_length=7, default="#7a5c48", help_text=_("Colour of the pages around it."))
    tags = models.JSONField(default=list, blank=True)
    order = models.IntegerField(default=100)
    published = models.BooleanField(default=True)
    current = models.ForeignKey(
        "CharacterVersion", null=True, blank=True, on_delete=models.SET_NULL, related_name="current_of"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["order", "slug"]

    def __str__(self) -> str:
        return self.name_en

    def get_absolute_url(self) -> str:
        return reverse("character", args=[self.slug])

    @property
    def name(self) -> str:
        return self.name_zh if _in_chinese() and self.name_zh else self.name_en

    @property
    def tagline(self) -> str:
        return self.tagline_zh if _in_chinese() and self.tagline_zh else self.tagline_en

    @property
    def about(self) -> str:
        return self.about_zh if _in_chinese() and self.about_zh else self.about_en

    @property
    def portrait_url(self) -> str:
        return static(f"portraits/{self.portrait}") if self.portrait else ""

    @property
    def sample_url(self) -> str:
        """Where its sample plays from; empty while there is none to hear."""
        clip = self.current.sample if self.current else None
        return reverse("clip-wav", args=[clip.digest]) if clip and clip.state == Clip.State.READY else ""


class CharacterVersion(models.Model):
    """A character's sheet as it was loaded, never changed afterwards: a session names the version it played."""

    character = models.ForeignKey(Character, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, help_text=_("SHA-256 of the sheet."))
    sheet = models.JSONField(help_text=_("The cast file (docs/authoring.md)."))
    voice = models.ForeignKey(Voice, on_delete=models.PROTECT)
    style = models.ForeignKey(StylePreset, on_delete=models.PROTECT)
    sample = models.ForeignKey(Clip, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["character", "number"], name="one_version_per_number")]

    def __str__(self) -> str:
        return f"{self.character.slug}@{self.number}"
