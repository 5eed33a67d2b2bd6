"""Conversations in the admin: watched, not edited. What was said is shown to those who may see it, never searched."""

from typing import Any

from django.contrib import admin
from django.db.models import Avg, Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from sessions.jobs.queue import jobs_retry
from sessions.models import ClientSecret, Lease, SessionJob, SessionUsage, Turn, VoiceSession


class ReadOnly:
    """Neither added nor changed by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TurnInline(ReadOnly, TabularInline):
    model = Turn
    fields = ["index", "speaker", "text", "interrupted", "typed", "started_ms", "ended_ms", "response_ms"]
    readonly_fields = fields
    ordering = ["index"]
    extra = 0
    can_delete = False
    tab = True


@admin.register(VoiceSession)
class VoiceSessionAdmin(ReadOnly, ModelAdmin):
    list_display = [
        "character",
        "listener",
        "state",
        "origin",
        "created_at",
        "duration",
        "num_turns",
        "mean_response",
        "ended_reason",
    ]
    list_filter = ["state", "origin", "character", "ended_reason", "created_at"]
    list_filter_submit = False
    # Transcripts are personal: neither they nor guests' keys can be searched.
    search_fields = ["=id", "user__username", "character__slug"]
    date_hierarchy = "created_at"
    exclude = ["guest_key"]
    inlines = [TurnInline]
    list_select_related = ["character", "user"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[VoiceSession]:
        rows: QuerySet[VoiceSession] = super().get_queryset(request)
        return rows.annotate(turn_count=Count("turns"), response_mean=Avg("turns__response_ms"))

    @admin.display(description=_("listener"), ordering="user__username")
    def listener(self, session: VoiceSession) -> str:
        return session.user.username if session.user is not None else str(_("guest"))

    @admin.display(description=_("duration"))
    def duration(self, session: VoiceSession) -> str:
        minutes, seconds = divmod(round(session.duration_s), 60)
        return f"{minutes}:{seconds:02}"

    @admin.display(description=_("turns"), ordering="turn_count")
    def num_turns(self, session: VoiceSession) -> int:
        return int(getattr(session, "turn_count", 0))

    @admin.display(description=_("response, ms"), ordering="response_mean")
    def mean_response(self, session: VoiceSession) -> str:
        mean = getattr(session, "response_mean", None)
        return "" if mean is None else f"{mean:.0f}"


@admin.register(ClientSecret)
class ClientSecretAdmin(ReadOnly, ModelAdmin):
    """Short-lived keys: seen, and deleted to revoke them."""

    list_display = ["created_at", "user", "character", "expires_at"]
    list_filter = ["expires_at"]
    fields = ["user", "character", "created_at", "expires_at"]
    readonly_fields = fields


@admin.register(SessionJob)
class SessionJobAdmin(ReadOnly, ModelAdmin):
    """What is done about conversations that are over; what failed can be begun anew."""

    list_display = ["session", "kind", "shown_state", "attempts", "due_at", "error", "updated_at"]
    list_filter = ["state", "kind"]
    list_select_related = ["session__character"]
    search_fields = ["=session__id"]
    actions = ["retry"]

    @display(
        description=_("state"),
        label={"pending": "info", "running": "info", "done": "success", "failed": "danger"},
        ordering="state",
    )
    def shown_state(self, job: SessionJob) -> str:
        return job.state

    @admin.action(description=_("Try the failed ones again"), permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[SessionJob]) -> None:
        jobs_retry(job_ids=list(queryset.values_list("pk", flat=True)))

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("voice_sessions.operate")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(SessionUsage)
class SessionUsageAdmin(ReadOnly, ModelAdmin):
    """What is to be billed. Nothing here is changed or deleted by hand."""

    list_display = ["ended_at", "user", "character", "seconds", "heard_seconds", "user_seconds", "num_turns"]
    list_filter = ["ended_at", "character"]
    list_select_related = ["user"]
    search_fields = ["=session_id", "user__username"]
    date_hierarchy = "ended_at"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Lease)
class LeaseAdmin(ReadOnly, ModelAdmin):
    """Which stream of which conversation had which worker, and how it ended."""

    list_display = ["id", "session", "worker", "fence", "state", "reserved_at", "settled_at", "settled_reason"]
    list_filter = ["state", "settled_reason", "worker"]
    list_select_related = ["session__character", "worker"]
    search_fields = ["=id", "=session__id"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
