"""Characters in the admin. Their content is a cast file; here one sees what is loaded and decides what is shown."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from characters.models import Character, CharacterVersion
from voices.models import Clip


class VersionInline(TabularInline):
    model = CharacterVersion
    fk_name = "character"
    fields = ["number", "voice", "style", "digest", "created_at"]
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = True
    tab = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Character)
class CharacterAdmin(ModelAdmin):
    list_display = ["portrait_and_name", "name_zh", "tagline_en", "shown_version", "shown_sample", "published", "order"]
    list_display_links = ["portrait_and_name"]
    list_editable = ["published", "order"]
    list_filter = ["published"]
    search_fields = ["slug", "name_en", "name_zh", "tagline_en"]
    readonly_fields = ["slug", "current", "portrait", "created_at", "updated_at"]
    inlines = [VersionInline]
    fieldsets = [
        (None, {"fields": [("slug", "current"), ("published", "order"), ("portrait", "accent"), "tags"]}),
        (_("English"), {"fields": ["name_en", "tagline_en", "about_en"], "classes": ["tab"]}),
        (_("Chinese"), {"fields": ["name_zh", "tagline_zh", "about_zh"], "classes": ["tab"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Character]:
        queryset: QuerySet[Character] = super().get_queryset(request)
        return queryset.select_related("current__sample").annotate(version_count=Count("versions"))

    @display(description=_("character"), ordering="name_en")
    def portrait_and_name(self, character: Character) -> SafeString:
        picture = format_html('<img src="{}" alt="" width="36" height="36">', character.portrait_url)
        return format_html('<span style="display:flex;gap:.6em;align-items:center">{} {}</span>', picture, character)

    @display(description=_("version"))
    def shown_version(self, character: Character) -> str:
        return str(character.current.number) if character.current else "—"

    @display(description=_("sample"), label={"ready": "success", "pending": "info", "failed": "danger"})
    def shown_sample(self, character: Character) -> str:
        clip: Clip | None = character.current.sample if character.current else None
        return clip.state if clip else "—"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(CharacterVersion)
class CharacterVersionAdmin(ModelAdmin):
    """A version is a record: it is read, never changed."""

    list_display = ["__str__", "voice", "style", "digest", "created_at"]
    list_filter = ["character"]
    readonly_fields = ["character", "number", "voice", "style", "sample", "digest", "created_at", "shown_sheet"]
    exclude = ["sheet"]

    @display(description=_("sheet"))
    def shown_sheet(self, version: CharacterVersion) -> SafeString:
        text = json.dumps(version.sheet, ensure_ascii=False, indent=2)
        return format_html('<pre style="white-space:pre-wrap;max-height:40em;overflow:auto">{}</pre>', text)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
