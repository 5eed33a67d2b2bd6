from django.urls import path

from sessions import heartbeats, views

urlpatterns = [
    path("sessions/", views.session_create, name="session-create"),
    path("sessions/<uuid:session_id>/resume/", views.session_resume, name="session-resume"),
    path("v1/realtime/client_secrets", views.client_secret, name="client-secret"),
    path("internal/workers/heartbeat", heartbeats.heartbeat, name="worker-heartbeat"),
    path("history/", views.history, name="history"),
    path("history/<uuid:session_id>/", views.session_detail, name="session-history"),
    path("history/<uuid:session_id>/transcript.txt", views.transcript_text, name="transcript-text"),
    path("history/<uuid:session_id>/transcript.json", views.transcript_json, name="transcript-json"),
    path("history/<uuid:session_id>/delete/", views.delete, name="session-delete"),
]
