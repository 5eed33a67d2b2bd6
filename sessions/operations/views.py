"""The operations page of the admin: what runs, and draining a worker or ending a call."""

from collections.abc import Callable
from uuid import UUID

from asgiref.sync import async_to_sync
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from sessions import control
from sessions.models import VoiceSession, WorkerNode
from sessions.operations.board import board, live_call, worker_node

PERMISSION = "voice_sessions.operate"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def operations(request: HttpRequest) -> HttpResponse:
    """Shows the board; a POST names an `action` and the `worker` or `session` it is for."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    if request.method == "POST":
        _act(request)
        return redirect("admin-operations")
    context = admin.site.each_context(request) | {"title": _("Workers and live calls"), "board": board()}
    return render(request, "operations/board.html", context)


def _act(request: HttpRequest) -> None:
    act = _ACTIONS.get(request.POST.get("action", ""))
    if act is None:
        messages.error(request, _("There is no such action."))
        return
    act(request)


def _drain(request: HttpRequest) -> None:
    node = _node(request)
    if node is not None and async_to_sync(control.drain_worker)(node.pk):
        _note(request, node, "asked to drain", WorkerNode)
        messages.success(request, _("%(worker)s takes no new calls and gives its own away.") % {"worker": node})


def _undrain(request: HttpRequest) -> None:
    node = _node(request)
    if node is not None and async_to_sync(control.drain_worker)(node.pk, wanted=False):
        _note(request, node, "taken back into service", WorkerNode)
        messages.success(request, _("%(worker)s takes calls again.") % {"worker": node})


def _end(request: HttpRequest) -> None:
    try:
        session = live_call(session_id=UUID(request.POST.get("session", "")))
    except ValueError:
        session = None
    if session is None or not async_to_sync(control.end_session)(session.pk):
        messages.warning(request, _("This call is over already."))
        return
    _note(request, session, "ended by an operator", VoiceSession)
    messages.success(request, _("The call is being ended."))


def _node(request: HttpRequest) -> WorkerNode | None:
    node = worker_node(worker_id=request.POST.get("worker", ""))
    if node is None:
        messages.warning(request, _("There is no such worker any more."))
    return node


def _note(request: HttpRequest, row: Model, what: str, model: type[Model]) -> None:
    LogEntry.objects.log_actions(str(request.user.pk), model._default_manager.filter(pk=row.pk), CHANGE, what)


_ACTIONS: dict[str, Callable[[HttpRequest], None]] = {"drain": _drain, "undrain": _undrain, "end": _end}
