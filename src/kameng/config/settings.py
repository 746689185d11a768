"""Django's settings. Every value of the environment is read here, typed, and documented in
docs/settings.md."""

import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from kameng.config import environment
from kameng.config.database import django_databases

HOME = Path(environment.text("KAMENG_HOME", "var")).resolve()
KEYRING_PATH = Path(environment.text("KAMENG_KEYRING", str(HOME / "secrets" / "keyring.json")))
_SECRET_FILE = HOME / "secrets" / "django.key"
SECRET_KEY = environment.text("KAMENG_SECRET_KEY") or (
    _SECRET_FILE.read_text().strip() if _SECRET_FILE.exists() else ""
)
if not SECRET_KEY and ("pytest" in sys.modules or "makemigrations" in sys.argv):
    SECRET_KEY = "tests-and-migration-files-need-no-secret"  # noqa: S105
DEBUG = False
ALLOWED_HOSTS = ["*"]  # hosts are decided by tenancy: an unknown one is 404

DATABASES = django_databases(
    environment.text("KAMENG_DATABASE_URL", "postgresql://postgres@localhost/kameng"),
    app_url=environment.text("KAMENG_APP_DATABASE_URL"),
)
MIGRATION_ALIAS = "owner"

INSTALLED_APPS = [
    "django.contrib.postgres",
    "procrastinate.contrib.django",
    "kameng.core.apps.CoreConfig",
    "kameng.tenancy.apps.TenancyConfig",
    "kameng.accounts.apps.AccountsConfig",
    "kameng.ledger.apps.LedgerConfig",
    "kameng.risk.apps.RiskConfig",
    "kameng.messaging.apps.MessagingConfig",
    "kameng.catalog.apps.CatalogConfig",
    "kameng.inventory.apps.InventoryConfig",
    "kameng.payments.apps.PaymentsConfig",
    "kameng.orders.apps.OrdersConfig",
    "kameng.settlement.apps.SettlementConfig",
    "kameng.reconciliation.apps.ReconciliationConfig",
    "kameng.pages.apps.PagesConfig",
    "kameng.insight.apps.InsightConfig",
    "kameng.web.apps.WebConfig",
    "kameng.storefront.apps.StorefrontConfig",
    "kameng.console.apps.ConsoleConfig",
    "kameng.openapi.apps.OpenapiConfig",
    "kameng.config.apps.ConfigConfig",
]

MIDDLEWARE = [
    "kameng.web.middleware.requests.RequestMiddleware",
    "kameng.tenancy.middleware.SiteMiddleware",
    "kameng.web.middleware.people.PeopleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "kameng.storefront.visits.VisitMiddleware",
]

ROOT_URLCONF = "kameng.config.urls"
WSGI_APPLICATION = "kameng.config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": False,
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django.template.loaders.app_directories.Loader",
                        # sections/<type>/template.html
                        (
                            "django.template.loaders.filesystem.Loader",
                            [Path(__file__).resolve().parent.parent / "pages"],
                        ),
                    ],
                )
            ],
            "context_processors": ["kameng.web.context.page_context"],
            "builtins": ["django.templatetags.i18n", "kameng.web.templatetags.kameng"],
        },
    }
]

PASSWORD_HASHERS = ["kameng.accounts.hashing.Argon2"]
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("简体中文")), ("en", _("English"))]
LANGUAGE_COOKIE_NAME = "kameng_language"
LOCALE_PATHS = [Path(__file__).resolve().parent.parent / "locale"]

STATIC_URL = "/static/"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
DATA_UPLOAD_MAX_NUMBER_FILES = 4
FILE_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
UPLOAD_LIMIT_BYTES = (
    environment.number("KAMENG_UPLOAD_LIMIT_MB", default=128, low=1, high=2048) * 1_000_000
)
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]

# Behind a reverse proxy that ends TLS, name its addresses; only then X-Forwarded-* is believed.
TRUSTED_PROXIES = environment.networks("KAMENG_TRUSTED_PROXIES")
PUBLIC_SCHEME = environment.choice(
    "KAMENG_PUBLIC_SCHEME", default="http", allowed=("http", "https")
)
if PUBLIC_SCHEME == "https" and not TRUSTED_PROXIES:
    # Unbelieved, the proxy's "https" is not known, and every form is refused as foreign.
    raise ImproperlyConfigured(
        "KAMENG_PUBLIC_SCHEME is https, so a proxy ends TLS: name its address in"
        " KAMENG_TRUSTED_PROXIES"
    )
_PORT = environment.number("KAMENG_PORT", default=8000, low=1, high=65_533)
PUBLIC_PORT = str(environment.number("KAMENG_PUBLIC_PORT", default=_PORT, low=1, high=65_535))
# Under TLS a browser takes a __Host- cookie from this very host alone: no neighbour below the same
# domain can plant one.
_COOKIE_PREFIX = "__Host-" if PUBLIC_SCHEME == "https" else ""
CSRF_COOKIE_NAME = f"{_COOKIE_PREFIX}kameng_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = PUBLIC_SCHEME == "https"
CSRF_FAILURE_VIEW = "kameng.web.errors.csrf_failure"
SESSION_COOKIE = f"{_COOKIE_PREFIX}kameng_session"
SESSION_SECONDS = (
    environment.number("KAMENG_SESSION_HOURS", default=24 * 14, low=1, high=24 * 90) * 3600
)

# Guest orders one address may place a minute, in each web worker; customers count by account.
GUEST_ORDERS_PER_MINUTE = environment.number(
    "KAMENG_GUEST_ORDERS_PER_MINUTE", default=300, low=1, high=100_000_000
)

# Own domains: who is asked about them (none: the machine's resolvers), where a look at a host's
# certificate goes (none: where the host leads), and whose certificates count besides the system's.
DNS_SERVERS = environment.servers("KAMENG_DNS_SERVERS")
EDGE_ADDRESS = environment.servers("KAMENG_EDGE_ADDRESS")[:1]
EDGE_CA = environment.text("KAMENG_EDGE_CA")
TLS_PERMISSION_SECRET = environment.text("KAMENG_TLS_PERMISSION_SECRET")

MAIL_HOST = environment.text("KAMENG_MAIL_HOST")
MAIL_PORT = environment.number("KAMENG_MAIL_PORT", default=25, low=1, high=65_535)
MAIL_USER = environment.text("KAMENG_MAIL_USER")
MAIL_PASSWORD = environment.text("KAMENG_MAIL_PASSWORD")
MAIL_TLS = environment.flag("KAMENG_MAIL_TLS", default=False)
MAIL_FROM = environment.text("KAMENG_MAIL_FROM", "no-reply@localhost")

# Gateways and suppliers on loopback (the simulator) are reached only when this is on.
ALLOW_LOOPBACK_GATEWAYS = environment.flag("KAMENG_ALLOW_LOOPBACK", default=False)
METRICS_TOKEN = environment.text("KAMENG_METRICS_TOKEN")
LOG_LEVEL = environment.choice(
    "KAMENG_LOG_LEVEL", default="INFO", allowed=("DEBUG", "INFO", "WARNING", "ERROR")
)
LOGGING_CONFIG = None  # kameng.web.logs sets structured logging up
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SILENCED_SYSTEM_CHECKS: list[str] = []
