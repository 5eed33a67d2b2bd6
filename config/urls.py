"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path
from django.views.i18n import JavaScriptCatalog

urlpatterns = [
    path("", include("characters.urls")),
    path("", include("sessions.urls")),
    path("voices/", include("voices.urls")),
    path("accounts/", include("accounts.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("i18n/catalogue.js", JavaScriptCatalog.as_view(packages=["config"]), name="javascript-catalog"),
    path("admin/", admin.site.urls),
]
