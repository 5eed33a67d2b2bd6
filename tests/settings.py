"""The product's settings with a folder of their own for everything that is written."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_var = Path(tempfile.mkdtemp(prefix="troupe-tests-"))
atexit.register(shutil.rmtree, _var, ignore_errors=True)
os.environ["TROUPE_VAR_DIR"] = str(_var)
os.environ.setdefault("LOG_LEVEL", "WARNING")
# One thread per process: tests run side by side, and threads that wait for each other would take the time of all.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from config.settings import *  # noqa: E402, F403  (after the folder is set)
from config.settings import DATABASES  # noqa: E402

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: a live server's threads write at the same time, as they do in the product.
    DATABASES["default"]["TEST"] = {"NAME": str(_var / "test.sqlite3")}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
