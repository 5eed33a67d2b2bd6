"""Voices, presets and clips in the admin."""

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from voices.models import Clip, StylePreset, Voice
from voices.services import clips_again


@admin.register(Voice)
class VoiceAdmin(ModelAdmin):
    list_display = ["title_en", "title_zh", "slug", "language", "gender", "age", "pitch_hz", "words_per_minute"]
    list_filter = ["language", "gender", "age"]
    search_fields = ["slug", "title_en", "title_zh", "description_en"]
    fieldsets = [
        (None, {"fields": [("slug", "language"), ("title_en", "title_zh"), ("description_en", "description_zh")]}),
        (_("Attributes"), {"fields": [("gender", "age"), "tags"]}),
        (
            _("Sound"),
            {"fields": [("timbre", "variant"), ("pitch_hz", "pitch_range"), ("words_per_minute", "formant_ratio")]},
        ),
    ]


@admin.register(StylePreset)
class StylePresetAdmin(ModelAdmin):
    list_display = ["title_en", "slug", "rate", "pitch_semitones", "pitch_range", "level_db", "whisper", "pause_scale"]
    search_fields = ["slug", "title_en", "title_zh"]


@admin.register(Clip)
class ClipAdmin(ModelAdmin):
    """Clips are made by the system; here one hears them and sees why one failed."""

    list_display = ["__str__", "shown_state", "seconds", "attempts", "listen", "error", "updated_at"]
    list_filter = ["state", "voice", "style"]
    readonly_fields = ["digest", "text", "voice", "style", "listen", "seconds", "attempts", "due_at", "error"]
    exclude = ["file", "queued_at"]
    actions = ["render_again"]

    @display(description=_("state"), label={"ready": "success", "pending": "info", "failed": "danger"})
    def shown_state(self, clip: Clip) -> str:
        return clip.state

    @display(description=_("sound"))
    def listen(self, clip: Clip) -> SafeString | str:
        if clip.state != Clip.State.READY:
            return "—"
        return format_html('<audio controls preload="none" src="/voices/clips/{}.wav"></audio>', clip.digest)

    @admin.action(description=_("Render again"))
    def render_again(self, request: object, queryset: QuerySet[Clip]) -> None:
        clips_again(clips=queryset)

    def has_add_permission(self, request: object) -> bool:
        return False
