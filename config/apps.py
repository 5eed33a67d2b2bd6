from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """The wiring as an app, so that `manage.py serve` is found and every process knows its queue."""

    name = "config"
    verbose_name = "Troupe"

    def ready(self) -> None:
        # Importing it makes it the app that `delay` and `send_task` use, on every thread of this process.
        import config.celery  # noqa: F401
