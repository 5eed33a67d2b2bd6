from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """The wiring as an app, so that `manage.py serve` is found."""

    name = "config"
    verbose_name = "Troupe"
