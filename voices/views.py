"""Clips for the ear."""

from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_GET

from voices.models import Clip


@require_GET
def clip_wav(request: HttpRequest, digest: str) -> HttpResponseBase:
    """The rendered file; 503 with `Retry-After` while it is being made."""
    clip = Clip.objects.filter(digest=digest).first()
    if clip is None or clip.state == Clip.State.FAILED:
        raise Http404
    if clip.state != Clip.State.READY:
        return JsonResponse({"state": clip.state}, status=503, headers={"Retry-After": "2"})
    response = FileResponse(clip.file.open("rb"), content_type="audio/wav")
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
