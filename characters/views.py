"""The catalogue, a character's page, and the page to talk on."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET

from accounts.visitors import visitor_of
from characters.models import Character
from characters.selectors import character_access, character_list
from characters.sheet import activities_of, styles_of
from voices.selectors import voice_list


def _character_or_404(request: HttpRequest, slug: str) -> Character:
    character = character_access(visitor=visitor_of(request), slug=slug)
    if character is None or character.current is None:
        raise Http404
    return character


@require_GET
def catalogue(request: HttpRequest) -> HttpResponse:
    characters = character_list(visitor=visitor_of(request))
    return render(request, "characters/catalogue.html", {"characters": characters})


@require_GET
def character(request: HttpRequest, slug: str) -> HttpResponse:
    found = _character_or_404(request, slug)
    assert found.current is not None
    context = {
        "character": found,
        "activities": activities_of(found.current),
        "styles": styles_of(found.current),
        "voice": found.current.voice,
    }
    return render(request, "characters/character.html", context)


@require_GET
@ensure_csrf_cookie
def talk(request: HttpRequest, slug: str) -> HttpResponse:
    found = _character_or_404(request, slug)
    assert found.current is not None
    config: dict[str, Any] = {
        "slug": found.slug,
        "name": found.name,
        "create_url": reverse("session-create"),
        "voice": found.current.voice.slug,
        "style": found.current.style.slug,
        "styles": [{"slug": style.slug, "title": style.title} for style in styles_of(found.current)],
        "voices": [{"slug": voice.slug, "title": voice.title} for voice in voice_list()],
        "activities": activities_of(found.current),
        "guests_may_talk": settings.GUESTS_MAY_TALK,
    }
    return render(request, "sessions/talk.html", {"character": found, "talk_config": config})
