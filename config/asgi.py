"""The ASGI application: Django for HTTP, the realtime consumer for sockets. Importing it loads no torch."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
_http = get_asgi_application()

# The app registry must be ready first.
from config.probes import Probes  # noqa: E402
from sessions.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter({"http": Probes(_http), "websocket": URLRouter(websocket_urlpatterns)})
