"""`POST /internal/workers/heartbeat`: where workers announce themselves."""

import logging
import time

from django.conf import settings
from django.db import Error as DatabaseGone
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from pydantic import ValidationError

from inference.client import EMBEDDED_URL
from inference.client.stream_token import read_announcement
from inference.errors import TokenRefused
from sessions.dispatch import WorkerReport, worker_heartbeat
from sessions.errors import BadRequest, NotAuthenticated, Refusal

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 200_000
RETRY_AFTER_S = 2


@csrf_exempt
@require_POST
@never_cache
def heartbeat(request: HttpRequest) -> HttpResponse:
    """Answers `{"drain": bool, "drop": [lease, ...]}`: what the worker is to do.

    401 for a token that is not this worker's own, 400 for a report that makes no sense, 503 while the database is
    away: the worker keeps its calls and tries again with its next beat.
    """
    try:
        report = _read(request)
        orders = worker_heartbeat(report)
    except Refusal as refusal:
        error = {"code": refusal.code, "message": refusal.message}
        return JsonResponse({"error": error}, status=refusal.status)
    except DatabaseGone as error:
        logger.warning("a worker's heartbeat found no database: %s", type(error).__name__)
        answer = JsonResponse({"error": {"code": "unavailable", "message": "the database is away"}}, status=503)
        answer["Retry-After"] = str(RETRY_AFTER_S)
        return answer
    return JsonResponse({"drain": orders.drain, "drop": list(orders.drop)})


def _read(request: HttpRequest) -> WorkerReport:
    """Raises `NotAuthenticated` or `BadRequest`."""
    worker = _bearer(request)
    if len(request.body) > MAX_BODY_BYTES:
        raise BadRequest("the report is too large")
    try:
        report = WorkerReport.model_validate_json(request.body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise BadRequest(f"{place or 'the report'}: {first['msg']}") from None
    if report.id != worker:
        raise NotAuthenticated("the token is another worker's")
    if report.url == EMBEDDED_URL or report.leases is None:
        raise BadRequest("a worker elsewhere has an address and counts its leases")
    return report


def _bearer(request: HttpRequest) -> str:
    """The worker's id."""
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise NotAuthenticated("send the worker's token as bearer")
    try:
        return read_announcement(settings.WORKER_KEY, token.strip(), now_s=time.time())
    except TokenRefused as error:
        raise NotAuthenticated(str(error)) from None
