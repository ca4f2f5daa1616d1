"""Serve the site: `python server.py PORT FOLDER`, on 127.0.0.1, the database in FOLDER, the token in SCIM_TOKEN."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import django
import uvicorn
from django.conf import settings


class TokenMiddleware:
    """Accepts requests with the token."""

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        is_right = request.headers.get("Authorization") == f"Bearer {os.environ['SCIM_TOKEN']}"
        request.user = SimpleNamespace(is_authenticated=is_right, is_anonymous=not is_right)
        return self.get_response(request)


def main(port: int, folder: Path) -> None:
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        SECRET_KEY="unused",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_scim", "django_site"],
        AUTH_USER_MODEL="django_site.Person",
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": folder / "site.sqlite3",
                "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        LOGGING_CONFIG=None,
        MIDDLEWARE=["django_site.server.TokenMiddleware", "django_scim.middleware.SCIMAuthCheckMiddleware"],
        ROOT_URLCONF="django_site.urls",
        SCIM_SERVICE_PROVIDER={
            "NETLOC": f"127.0.0.1:{port}",
            "SCHEME": "http",
            "GROUP_MODEL": "django_site.models.Team",
            "GROUP_FILTER_PARSER": "django_site.models.TeamFilter",
            "AUTHENTICATION_SCHEMES": [{"type": "oauthbearertoken", "name": "token", "description": ""}],
        },
    )
    django.setup()
    from django.core.asgi import get_asgi_application
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)
    uvicorn.run(get_asgi_application(), host="127.0.0.1", port=port, lifespan="off", log_level="error")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
