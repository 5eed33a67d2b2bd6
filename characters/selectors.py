"""Reads about characters."""

from django.db.models import QuerySet

from accounts.visitors import Visitor
from characters.models import Character


def character_list(*, visitor: Visitor) -> QuerySet[Character]:
    """The catalogue of this visitor."""
    everything = Character.objects.exclude(current=None).select_related("current__sample")
    if visitor.user is not None and visitor.user.is_staff:
        return everything
    return everything.filter(published=True)


def character_access(*, visitor: Visitor, slug: str) -> Character | None:
    """The character if this visitor may talk with it. The only door to one character."""
    found = character_list(visitor=visitor).filter(slug=slug)
    return found.select_related("current__sample", "current__voice", "current__style").first()
