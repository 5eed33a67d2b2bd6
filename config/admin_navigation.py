"""The side bar of the admin: operations first, then whatever the one who looks may see."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = []
    if request.user.has_perm("voice_sessions.operate"):
        board = {"title": _("Workers and live calls"), "icon": "monitoring", "link": reverse("admin-operations")}
        groups.append({"title": _("Operations"), "items": [board]})
    for app in admin.site.get_app_list(request):
        models = [
            {"title": model["name"], "link": model["admin_url"]} for model in app["models"] if model.get("admin_url")
        ]
        if models:
            groups.append({"title": app["name"], "items": models})
    return groups
