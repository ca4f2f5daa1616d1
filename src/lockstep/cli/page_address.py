"""Arguments that name an object with a page in the admin centre. They also accept the address of that page.

An address names the server that it was copied from, and is refused if the command works with another server. The address of a mapping or a
claim is also refused if the command works with another application.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import click

from lockstep.errors import conflict

_PORTS = {"http": 80, "https": 443}


class NameOrAddress(click.ParamType[Any]):
    """A name, or the address of a page that shows the named object. *then* parses the name, for example as a number.

    *folders* are the parts of a page's path before the name, such as `/users/`. If *member* is given, the name is the value of that
    parameter in the address's query, not a part of the path.
    """

    name = "text"

    def __init__(self, *folders: str, member: str = "", then: click.ParamType[Any] = click.STRING) -> None:
        self._folders = folders
        self._member = member
        self._then = then

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        if not is_address(text):
            return self._then.convert(value, param, ctx)
        try:
            address = urlsplit(text.strip())
        except ValueError:
            address = urlsplit("")
        name = next(filter(None, (self._name(address, folder) for folder in self._folders)), "")
        if not name:
            self.fail(f"{text} is not the address of a page under {' or '.join(self._folders)}", param, ctx)
        _require_server(address, ctx)
        if self._member and ctx is not None:
            self._require_place(address, param, ctx)
        return self._then.convert(name, param, ctx)

    def _name(self, address: SplitResult, folder: str) -> str:
        _, found, rest = address.path.partition(folder)
        if found and self._member:
            return next(iter(parse_qs(address.query).get(self._member, [])), "")
        return unquote(rest.partition("/")[0]) if found else ""

    def _require_place(self, address: SplitResult, param: click.Parameter | None, ctx: click.Context) -> None:
        """Refuse the page of a mapping or claim if the command works with another application or another kind of object."""
        app = APPLICATION._name(address, "/apps/")
        if app.lower() != str(ctx.params.get("app", app)).lower():
            self.fail(f"The page is about the application {app}. Name that application in the command", param, ctx)
        kind = address.path.partition("/provisioning/mappings/")[2].partition("/")[0]
        if kind and kind != ctx.params.get("kind", "user"):
            self.fail(f"The page is about a {kind}. Add --kind {kind}", param, ctx)


class ApplicationOrAddress(NameOrAddress):
    """The name of an application, or the address of a page. The page can be a page of the application. It can also be the page that
    explains whether a person gets an account in the application; its address ends with `?app=NAME`.
    """

    def __init__(self) -> None:
        super().__init__("/apps/")

    def _name(self, address: SplitResult, folder: str) -> str:
        name = super()._name(address, folder)
        return "" if name == "new" else name or application_in(address.geturl())  # /apps/new is the gallery


APPLICATION = ApplicationOrAddress()
TEMPLATE = NameOrAddress("/apps/new/")
MAPPING = NameOrAddress("/provisioning/mappings/", member="target")
CLAIM = NameOrAddress("/sso/claims", member="name")
PERSON = NameOrAddress("/users/")
GROUP = NameOrAddress("/groups/")
PERSON_OR_GROUP = NameOrAddress("/users/", "/groups/")
CHANGE = NameOrAddress("/logs/provisioning/")
AUDIT_ENTRY = NameOrAddress("/logs/audit/", then=click.IntRange(1))
SOURCE = NameOrAddress("/sources/")
ADMINISTRATOR = NameOrAddress("/settings/admins/")


def application_in(address: str) -> str:
    """Return the application that *address* names as `?app=NAME`. Returns "" if it names none, or if *address* is not the address of a
    page.
    """
    return next(iter(parse_qs(urlsplit(address).query).get("app", [])), "") if is_address(address) else ""


def is_address(text: str) -> bool:
    return text.strip().lower().startswith(("http://", "https://"))


def _require_server(address: SplitResult, ctx: click.Context | None) -> None:
    """Raise LockstepError if *address* belongs to a known server but the command works with a different one."""
    from lockstep.cli.remote.contexts import chosen_server, read_contexts  # imported only if an address was given
    from lockstep.cli.session import settings_of

    if ctx is None or ctx.resilient_parsing:
        return
    server = chosen_server(settings_of(ctx))
    if server is not None and _origin(urlsplit(server.url)) == _origin(address):
        return
    shown = f"{address.scheme}://{address.netloc}"
    known = [one.name for one in read_contexts().servers.values() if _origin(urlsplit(one.url)) == _origin(address)]
    if server is None and not known:
        return
    here = "the data folder of this machine" if server is None else f"{server.name} ({server.url})"
    sign_in = f"Sign in there first: lockstep login {shown}"
    raise conflict(
        f"The page belongs to {shown}, but the command would use {here}. Nothing changed",
        next_step=f"Add --context {known[0]} before the command" if known else sign_in,
    )


def _origin(address: SplitResult) -> tuple[str, str, int | None]:
    try:
        port = address.port
    except ValueError:
        port = None
    scheme = address.scheme.lower()
    return scheme, address.hostname or "", port or _PORTS.get(scheme)
