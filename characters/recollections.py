"""What a conversation with a character was about, in the listener's language."""

import asyncio
from collections.abc import Sequence

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from characters.mind.chat_endpoint import ChatEndpoint, EndpointSettings
from characters.mind.recollection import Line, activities_heard, asked_summary, first_topics
from characters.models import CharacterVersion
from characters.sheet import activities_of, sheet_of

FIRST_WORDS_S = 30.0
TOTAL_S = 60.0
MOST_TOKENS = 160


def can_be_asked() -> bool:
    """Whether there is a chat endpoint that sums up; else the transcript has to speak for itself."""
    return bool(settings.MIND_BASE_URL)


def asked_recollection(version: CharacterVersion, lines: Sequence[Line], *, language: str) -> str:
    """By the chat endpoint. Runs an event loop of its own: for jobs. Raises `EndpointFailed`."""
    with translation.override(language):
        name = version.character.name
    return asyncio.run(_ask(lines, name=name, language=language))


async def _ask(lines: Sequence[Line], *, name: str, language: str) -> str:
    endpoint = ChatEndpoint(
        EndpointSettings(
            base_url=settings.MIND_BASE_URL,
            model=settings.MIND_MODEL,
            api_key=settings.MIND_API_KEY,
            first_words_s=FIRST_WORDS_S,
            total_s=TOTAL_S,
            max_tokens=MOST_TOKENS,
            temperature=0.2,
        )
    )
    try:
        return await asked_summary(endpoint, lines, name=name, language=language)
    finally:
        await endpoint.close()


def plain_recollection(version: CharacterVersion, lines: Sequence[Line], *, language: str) -> str:
    """What was done and how the listener began, taken from the transcript; empty when there is neither."""
    with translation.override(language):
        titles = {each["slug"]: each["title"] for each in activities_of(version)}
        done = [titles[slug] for slug in activities_heard(sheet_of(version), lines)]
        topics = first_topics(lines)
        parts = []
        if done:
            # Translators: one line about a past conversation; the names of stories, songs and lessons follow.
            parts.append(_("Together: {activities}.").format(activities=", ".join(done)))
        if topics:
            # Translators: the first words of the listener in a past conversation follow, in quotation marks.
            quoted = " ".join(_("“{words}”").format(words=topic) for topic in topics)
            parts.append(_("You began with {quoted}").format(quoted=quoted))
        return " ".join(parts)
