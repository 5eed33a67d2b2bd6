"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path

from sessions.operations.views import operations

urlpatterns = [
    path("", include("characters.urls")),
    path("", include("sessions.urls")),
    path("voices/", include("voices.urls")),
    path("accounts/", include("accounts.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/operations/", admin.site.admin_view(operations), name="admin-operations"),
    path("admin/", admin.site.urls),
]
