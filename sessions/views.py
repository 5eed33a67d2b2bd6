"""Begin and resume a conversation; read, export and delete one's own; short-lived keys."""

import json
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from accounts.visitors import Visitor, visitor_of
from sessions import transcript
from sessions.admission import admit, bearer_of, check_rate, check_visitor, playable_character
from sessions.client_secrets import read_secret_request
from sessions.door import check_room
from sessions.errors import BadRequest, Full, NoSession, NotAuthenticated, Refusal, SessionOver
from sessions.keys import TOKEN_LIFETIME_S
from sessions.live import figures
from sessions.live.closing import RETRY_AFTER_S
from sessions.models import VoiceSession
from sessions.selectors import session_access, session_history, session_turns
from sessions.services import client_secret_create, session_delete, token_issue
from voices.selectors import voice_list

logger = logging.getLogger(__name__)

PER_PAGE = 30
MAX_BODY_BYTES = 100_000
View = Callable[..., HttpResponse]


def answers_json(view: View) -> View:
    """A refusal becomes `{"error": {"code", "message", "retry_after_s"?}}` with its status; so does a database that is
    away."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            if len(request.body) > MAX_BODY_BYTES:
                raise BadRequest("the body is too large")
            return view(request, *args, **kwargs)
        except Refusal as refusal:
            return _refused(refusal)
        except (OperationalError, InterfaceError) as error:
            logger.warning("a request found no database: %s", type(error).__name__)
            return _refused(Full("the service is not ready; try again in a moment", retry_after_s=RETRY_AFTER_S))

    return wrapped


def _refused(refusal: Refusal) -> JsonResponse:
    figures.refused(refusal.code)
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.retry_after_s is None:
        return JsonResponse({"error": error}, status=refusal.status)
    error["retry_after_s"] = refusal.retry_after_s
    response = JsonResponse({"error": error}, status=refusal.status)
    response["Retry-After"] = str(refusal.retry_after_s)
    return response


@require_POST
@never_cache
@answers_json
def session_create(request: HttpRequest) -> HttpResponse:
    """`{"character": SLUG, "voice"?: SLUG, "style"?: SLUG}` answers what the page needs to open its socket."""
    body = _json_object(request)
    wanted = {name: body.get(name, "") for name in ("character", "voice", "style")}
    if not all(isinstance(value, str) and len(value) <= 80 for value in wanted.values()) or not wanted["character"]:
        raise BadRequest('send {"character": SLUG}')
    check_room()
    session = admit(
        visitor=visitor_of(request),
        slug=wanted["character"],
        address=_address(request),
        origin=VoiceSession.Origin.WEB,
        voice=wanted["voice"],
        style=wanted["style"],
    )
    return _socket_json(request, session, status=201)


@require_POST
@never_cache
@answers_json
def session_resume(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """A new token for a conversation whose socket was lost."""
    session = session_access(visitor=visitor_of(request), session_id=session_id)
    if session is None:
        raise NoSession("there is no such conversation of yours")
    if session.state == VoiceSession.State.ENDED:
        raise SessionOver("the conversation has ended")
    return _socket_json(request, session, status=200)


@csrf_exempt
@require_POST
@never_cache
@answers_json
def client_secret(request: HttpRequest) -> HttpResponse:
    """OpenAI's `POST /v1/realtime/client_secrets`: a short-lived key for a socket."""
    visitor = _api_visitor(request)
    check_visitor(visitor=visitor)
    check_rate(visitor=visitor, address=_address(request))
    voices = frozenset(voice_list().values_list("slug", flat=True))
    wanted = read_secret_request(request.body, voices)
    character = playable_character(visitor=visitor, slug=wanted.model) if wanted.model else None
    row, key = client_secret_create(
        visitor=visitor,
        character=character,
        session=dict(wanted.session),
        lifetime_s=wanted.expires_after.seconds,
    )
    shown = dict(wanted.session) | {"type": "realtime", "object": "realtime.session", "id": f"sess_{row.pk}"}
    expires_at = int(row.expires_at.timestamp())
    return JsonResponse({"value": key, "expires_at": expires_at, "session": shown | {"expires_at": expires_at}})


@require_GET
@never_cache
def history(request: HttpRequest) -> HttpResponse:
    pages = Paginator(session_history(visitor=visitor_of(request)), PER_PAGE)
    return render(request, "sessions/history.html", {"sessions": pages.get_page(request.GET.get("page"))})


@require_GET
@never_cache
def session_detail(request: HttpRequest, session_id: UUID) -> HttpResponse:
    session = _own_session(request, session_id)
    return render(request, "sessions/session.html", {"session": session, "turns": session_turns(session=session)})


@require_GET
@never_cache
def transcript_text(request: HttpRequest, session_id: UUID) -> HttpResponse:
    session = _own_session(request, session_id)
    text = transcript.as_text(session, list(session_turns(session=session)))
    return _download(HttpResponse(text, content_type="text/plain; charset=utf-8"), session, "txt")


@require_GET
@never_cache
def transcript_json(request: HttpRequest, session_id: UUID) -> HttpResponse:
    session = _own_session(request, session_id)
    shown = transcript.as_json(session, list(session_turns(session=session)))
    body = json.dumps(shown, ensure_ascii=False, indent=2)
    return _download(HttpResponse(body, content_type="application/json"), session, "json")


@require_POST
def delete(request: HttpRequest, session_id: UUID) -> HttpResponse:
    session = _own_session(request, session_id)
    if session.state == VoiceSession.State.LIVE:
        messages.error(request, _("End the conversation before you delete it."))
        return redirect("session-history", session_id=session.pk)
    session_delete(session=session)
    messages.success(request, _("The conversation has been deleted."))
    return redirect("history")


def _own_session(request: HttpRequest, session_id: UUID) -> VoiceSession:
    session = session_access(visitor=visitor_of(request), session_id=session_id)
    if session is None:
        raise Http404
    return session


def _api_visitor(request: HttpRequest) -> Visitor:
    """The owner of the bearer key; else whoever the cookies say, who then needs a CSRF token unless a guest."""
    scheme, _space, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key:
        bearer = bearer_of(key=key.strip())
        if bearer.session is not None:
            raise NotAuthenticated("a short-lived key makes no further keys")
        return bearer.visitor
    visitor = visitor_of(request)
    if visitor.user is not None:
        check = CsrfViewMiddleware(lambda each: HttpResponse())
        check.process_request(request)
        if check.process_view(request, _needs_csrf, (), {}) is not None:
            raise NotAuthenticated("send a bearer key, or the CSRF token of the page")
    return visitor


def _needs_csrf(request: HttpRequest) -> HttpResponse:
    """Stands for a view without `csrf_exempt`."""
    return HttpResponse()


def _json_object(request: HttpRequest) -> dict[str, Any]:
    try:
        body = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object")
    return body


def _socket_json(request: HttpRequest, session: VoiceSession, *, status: int) -> JsonResponse:
    scheme = "wss" if request.is_secure() else "ws"
    answer = {
        "session_id": str(session.pk),
        "token": token_issue(session=session),
        "url": f"{scheme}://{request.get_host()}/v1/realtime",
        "resume_window_s": settings.SESSION_RESUME_SECONDS,
        "expires_in_s": TOKEN_LIFETIME_S,
    }
    return JsonResponse(answer, status=status)


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def _download(response: HttpResponse, session: VoiceSession, suffix: str) -> HttpResponse:
    name = f"{session.character.slug}-{session.created_at:%Y-%m-%d-%H%M}.{suffix}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
