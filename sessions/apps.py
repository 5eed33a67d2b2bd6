from django.apps import AppConfig


class SessionsConfig(AppConfig):
    """A live conversation, web side. The label differs because Django's own app is called `sessions`."""

    name = "sessions"
    label = "voice_sessions"
    verbose_name = "Conversations"
