from tests.live_server import troupe, troupe_server

__all__ = ["troupe", "troupe_server"]
