"""Check a tenant URL while an administrator types it, and suggest the URL that was probably meant. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from lockstep.actions.credentials import checked_url
from lockstep.errors import LockstepError

_SCIM = "/scim/v2"


@dataclass(frozen=True, slots=True)
class UrlAdvice:
    """Advice to an administrator about a tenant URL. *is_error* is true if the URL cannot be stored. *fix* is the URL that was probably
    meant; "" if the URL looks right.
    """

    text: str
    fix: str = ""
    is_error: bool = False
    is_warning: bool = False


def advise_on_url(text: str, *, path: str = "") -> UrlAdvice:
    """Return advice on the tenant URL *text*. *path* is the usual end of this application's tenant URLs according to the gallery, such as
    `/scim/v2`.
    """
    typed = text.strip()
    if not typed:
        return UrlAdvice("")
    try:
        url = checked_url(typed)
    except LockstepError as refused:
        with_scheme = f"https://{typed}" if "://" not in typed else ""
        fix = _good(with_scheme) if with_scheme else ""
        text = f"{refused.detail}. {refused.why or refused.next_step}".rstrip(".")
        return UrlAdvice(text, _ended(fix, path) if fix else "", is_error=True)
    wanted = _ended(url, path)
    if wanted != url:
        return UrlAdvice(f"{path or _SCIM} is missing at the end", wanted, is_warning=True)
    if urlsplit(url).scheme == "http" and not is_own_machine(url):
        return UrlAdvice(
            "http:// sends the secret token unencrypted", f"https{url.removeprefix('http')}", is_warning=True
        )
    return UrlAdvice("Looks right")


def _ended(url: str, path: str) -> str:
    """Return *url*, completed if the end of its path is missing. *path* is the usual path of the application's tenant URLs; "" stands for
    the usual path of SCIM servers.
    """
    parts = urlsplit(url)
    if parts.query:
        return url
    wanted = path or _SCIM
    if parts.path in ("", "/"):
        return url.rstrip("/") + wanted
    if path and not parts.path.lower().endswith(path.lower()) and "scim" not in parts.path.lower():
        return url + path
    if path and parts.path.lower().endswith("/scim") and path.lower().startswith("/scim/"):
        return url + path[len("/scim") :]
    return url


def _good(text: str) -> str:
    try:
        return checked_url(text)
    except LockstepError:
        return ""


def is_own_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
