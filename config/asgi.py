"""The ASGI application: Django for HTTP, the realtime consumer for sockets. Importing it loads no torch."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
_http = get_asgi_application()

from sessions.routing import websocket_urlpatterns  # noqa: E402  (the app registry must be ready first)

application = ProtocolTypeRouter({"http": _http, "websocket": URLRouter(websocket_urlpatterns)})
