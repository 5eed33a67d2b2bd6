"""Django settings: the embedded default complete, every deployed piece switched on by its environment variable."""

from hashlib import sha256
from pathlib import Path

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.management.utils import get_random_secret_key
from django.utils.translation import gettext_lazy as _
from kombu import Queue

from config import env
from config.database import postgresql_options
from config.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = env.folder("TROUPE_VAR_DIR", BASE_DIR / "var")
"""Everything Troupe writes on an embedded machine: database, clips, language models, secret key."""

# --- security ---------------------------------------------------------------------------------------------------


def _secret_key() -> str:
    """From the environment; else made once and kept in `VAR_DIR`, so that an embedded start needs no set-up."""
    given = env.text("SECRET_KEY")
    if given:
        return given
    path = VAR_DIR / "secret_key"
    if not path.exists():
        VAR_DIR.mkdir(parents=True, exist_ok=True)
        path.write_text(get_random_secret_key(), encoding="utf-8")
        path.chmod(0o600)
    return path.read_text(encoding="utf-8").strip()


SECRET_KEY = _secret_key()
WORKER_KEY = env.secret("WORKER_KEY") or sha256(f"troupe worker {SECRET_KEY}".encode()).hexdigest()
"""What web processes and workers share: it signs stream tokens and heartbeats. Embedded: derived."""
DEBUG = env.flag("DEBUG", default=False)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
HTTPS = env.flag("HTTPS", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = False  # the proxy's business
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# A policy cannot name an IPv6 address; there 'self' has to do.
_socket_origins = [f"{scheme}://{host}:*" for host in ALLOWED_HOSTS if "[" not in host for scheme in ("ws", "wss")]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        # Same-origin sockets: some browsers do not count ws: under 'self'.
        "connect-src": [SELF, *_socket_origins],
        "img-src": [SELF, "data:"],
        "media-src": [SELF, "blob:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}

# --- applications -----------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "channels",
    "accounts.apps.AccountsConfig",
    "voices.apps.VoicesConfig",
    "characters.apps.CharactersConfig",
    "sessions.apps.SessionsConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.visitors.VisitorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.admin_policy.AdminContentPolicyMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "catalogue"
LOGOUT_REDIRECT_URL = "catalogue"

# --- data -------------------------------------------------------------------------------------------------------

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
_embedded_database = f"sqlite:///{VAR_DIR / 'troupe.sqlite3'}"
DATABASES = {"default": environ.Env.db_url_config(env.text("DATABASE_URL") or _embedded_database)}
_database = DATABASES["default"]
if _database["ENGINE"].endswith("sqlite3"):
    VAR_DIR.mkdir(parents=True, exist_ok=True)
    _database["OPTIONS"] = {
        # A writer takes its lock at once instead of failing half-way through a transaction.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    # Under ASGI a persistent connection would belong to a thread that never comes back: the pool keeps them instead,
    # and looks at each before it lends it, because the server may have been restarted.
    _database["CONN_MAX_AGE"] = 0
    _database["CONN_HEALTH_CHECKS"] = True
    _database["OPTIONS"] = _database.get("OPTIONS", {}) | postgresql_options(
        pool=env.integer("DATABASE_POOL", 8, low=1, high=200),
        statement_s=env.number("DATABASE_STATEMENT_S", 15.0, low=0.0, high=3600.0),
        lock_s=env.number("DATABASE_LOCK_S", 3.0, low=0.0, high=3600.0),
    )

CACHES = {
    "default": environ.Env.cache_url_config(env.text("CACHE_URL") or "locmemcache://"),
}
if CACHES["default"]["BACKEND"].endswith("RedisCache"):
    # A Redis that stands still must not hold up whoever begins a call.
    CACHES["default"]["OPTIONS"] = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}
CHANNEL_LAYERS = {
    "default": environ.Env.channels_url_config(env.text("CHANNEL_URL") or "inmemory://"),
}
MEDIA_ROOT = VAR_DIR / "media"
MEDIA_URL = "media/"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000

# --- static files, languages -----------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = env.text("STATIC_ROOT") or None
STATICFILES_DIRS = [BASE_DIR / "static"]
# No collectstatic on a laptop: the files are served from where they lie, and asked for anew after a minute.
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_MAX_AGE = 60

USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]

# --- jobs -------------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL") or "memory://localhost/"
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
# Only rows hold results; without this a worker thread inside the serve process would guard `get` everywhere.
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SOFT_TIME_LIMIT = 570
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_QUEUES = [Queue("default"), Queue("render"), Queue("media")]
"""`render`: speech made ahead of time, by a Celery worker with a voice of its own, so that no live call waits for it.
`media`: heavy work on uploads; no task uses it yet."""
CELERY_TASK_ROUTES = {"voices.tasks.render_clip": {"queue": "render"}}
# A message is given back when its worker dies; rows bound how often. It is hidden for longer than any task may run.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 2 * 3600,
    "socket_connect_timeout": 1,
    "socket_timeout": 3,
    "max_retries": 0,
    "connect_retries_timeout": 1,
    "socket_keepalive": True,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Whoever plans a job does not wait for a queue that is away: the sweep tells it later.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    name: {"task": task, "schedule": float(every_s), "options": {"expires": every_s}}
    for name, task, every_s in [
        ("leases", "sessions.tasks.sweep_leases", 5),
        ("sessions", "sessions.tasks.sweep_sessions", 60),
        ("jobs", "sessions.tasks.sweep_jobs", 60),
        ("clips", "voices.tasks.sweep_clips", 60),
    ]
} | {
    # At a time of day: counted from the last start it might never come.
    "retention": {"task": "sessions.tasks.expire_transcripts", "schedule": crontab(hour="3", minute="17")}
}
"""Sweeps with the seconds between them. One not run before the next is due is dropped: they all come to the same."""

TRANSCRIPT_DAYS = env.integer("TRANSCRIPT_DAYS", 0, low=0, high=36_500)
"""How long what was said is kept after a conversation has ended; 0: until its listener deletes it."""
GUEST_TRANSCRIPT_DAYS = env.integer("GUEST_TRANSCRIPT_DAYS", 365, low=0, high=36_500)
"""The same for guests. Their cookie lasts a year: beyond that nobody could read or delete it."""

# --- live voice -------------------------------------------------------------------------------------------------

PROCESS_URL = env.text("PROCESS_URL").rstrip("/")
"""Where other web processes reach this very one, such as `http://10.0.0.7:8000`; empty: it is the only one."""

INFERENCE_SLOTS = env.integer("INFERENCE_SLOTS", 8, low=1, high=1024)
"""Calls that may be live at once in the embedded worker."""

INFERENCE_LANE = env.choice("INFERENCE_LANE", "composed", {"composed", "echo"})
"""`echo` sends every caller's audio straight back: for measuring the platform without ears, mind and mouth."""

MOUTH = env.choice("MOUTH", "auto", {"auto", "bundled", "espeak"})
"""`auto`: the bundled voice for English and eSpeak NG for every other language, or whichever of the two is there."""
MOUTH_SLOTS = env.integer("MOUTH_SLOTS", 8, low=1, high=256)
"""Phrases the bundled voice makes at once. A call needs one while something is being made."""
MOUTH_PACKED = env.choice("MOUTH_PACKED", "none", {"none", "float32", "bfloat16", "int8"})
"""Its weights repacked in this precision for the kernels of a CPU."""

VOICE_MODEL = env.text("VOICE_MODEL")
"""A voice-language model in the Voila layout: a folder, or a hub id that was pulled. Empty: none."""
VOICE_MODEL_CODEC = env.text("VOICE_MODEL_CODEC")
"""The codec its codes are made with, such as a folder of Voila-Tokenizer. Empty: the one in the model's folder."""
VOICE_MODEL_REVISION = env.text("VOICE_MODEL_REVISION")
VOICE_MODEL_LANE = env.choice("VOICE_MODEL_LANE", "auto", {"auto", "duplex", "turn", "mouth"})
"""`auto`: duplex for an autonomous checkpoint, else turn. `mouth`: it speaks the words of all composed characters."""
VOICE_MODEL_SLOTS = env.integer("VOICE_MODEL_SLOTS", 4, low=1, high=256)
VOICE_MODEL_DTYPE = env.choice("VOICE_MODEL_DTYPE", "float32", {"float32", "bfloat16"})
VOICE_MODEL_DEVICE = env.choice("VOICE_MODEL_DEVICE", "cpu", {"cpu", "cuda"})
VOICE_MODEL_PACKED = env.choice("VOICE_MODEL_PACKED", "none", {"none", "float32", "bfloat16", "int8"})
"""Weights repacked in this precision for the kernels of a CPU."""

GUESTS_MAY_TALK = env.flag("GUESTS_MAY_TALK", default=True)
GUEST_SECONDS_PER_DAY = env.integer("GUEST_SECONDS_PER_DAY", 3600, low=1, high=86_400)
SESSION_MAX_SECONDS = env.integer("SESSION_MAX_SECONDS", 7200, low=10, high=86_400)
SESSION_IDLE_SECONDS = env.integer("SESSION_IDLE_SECONDS", 300, low=10, high=86_400)
SESSION_RESUME_SECONDS = env.integer("SESSION_RESUME_SECONDS", 30, low=1, high=600)
GUEST_SESSIONS_AT_ONCE = env.integer("GUEST_SESSIONS_AT_ONCE", 2, low=1, high=1000)
USER_SESSIONS_AT_ONCE = env.integer("USER_SESSIONS_AT_ONCE", 100, low=1, high=10_000)
SESSIONS_PER_ADDRESS = env.integer("SESSIONS_PER_ADDRESS", 60, low=1, high=1_000_000)
"""Conversations that guests of one address may begin in ten minutes."""
SESSIONS_PER_USER = env.integer("SESSIONS_PER_USER", 600, low=1, high=1_000_000)
"""The same for one person with an account."""

MIND_BASE_URL = env.text("MIND_BASE_URL")
"""An OpenAI-compatible chat endpoint, such as `http://127.0.0.1:8080/v1`; empty: the character's own script."""
MIND_MODEL = env.text("MIND_MODEL")
MIND_API_KEY = env.text("MIND_API_KEY")
MIND_TIMEOUT_S = env.number("MIND_TIMEOUT_S", 4.0, low=0.2, high=60.0)

# --- admin, logs ------------------------------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Troupe",
    "SITE_HEADER": "Troupe",
    "SITE_SUBHEADER": _("Voice characters"),
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": True,
    "SIDEBAR": {"navigation": "config.admin_navigation.navigation"},
}

# Transcripts and personas are personal: they never enter a log message.
LOGGING = logging_config(
    form=env.choice("LOG_FORMAT", "text", {"text", "json"}),
    level=env.choice("LOG_LEVEL", "INFO", {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}),
)

METRICS_ALLOW = env.networks("METRICS_ALLOW", ["127.0.0.0/8", "::1/128"])
"""Whoever asks `/metrics` from one of these, and not through a proxy, is answered."""
METRICS_TOKEN = env.secret("METRICS_TOKEN")
"""A bearer token that is answered from anywhere; empty: none is."""
