"""The servers that this user has signed in to, stored in the user's own file (`~/.config/lockstep/contexts.json`).

The file contains tokens, so it is refused if other users can read it.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from lockstep.actions.rows.times import iso
from lockstep.errors import CHECK_READING, conflict, invalid, not_found
from lockstep.settings import Settings
from lockstep.vault import Secret
from lockstep.wording import did_you_mean

LOCAL = "local"  # the context that means the data folder of this machine
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class ServerContext:
    """One server and the user's token for it. *who* is the owner's e-mail address, or the name of a service token.

    *is_own* is true if login created the token, so that logout revokes it.
    """

    name: str
    url: str
    token: Secret
    who: str
    expires_at: datetime
    ca_file: str = ""
    is_own: bool = True


@dataclass(frozen=True, slots=True)
class Contexts:
    """All servers by name, and the name of the server in use."""

    current: str = LOCAL
    servers: Mapping[str, ServerContext] = field(default_factory=dict)

    def named(self, name: str) -> ServerContext:
        """Return the server *name*. Raises LockstepError, with suggestions, if it is unknown."""
        if name not in self.servers:
            known = [LOCAL, *sorted(self.servers)]
            raise not_found(
                f'Unknown context "{name}"',
                next_step=did_you_mean(
                    name, known, otherwise=f"Available: {', '.join(known)}. New: lockstep login URL"
                ),
            )
        return self.servers[name]

    def using(self, name: str) -> Contexts:
        """Return a copy in which the context *name* is in use. Raises LockstepError if there is no such context."""
        if name != LOCAL:
            self.named(name)
        return Contexts(name, self.servers)

    def with_server(self, server: ServerContext) -> Contexts:
        """Return a copy that also contains *server*, and in which *server* is in use."""
        return Contexts(server.name, {**self.servers, server.name: server})

    def without(self, name: str) -> Contexts:
        rest = {known: one for known, one in self.servers.items() if known != name}
        return Contexts(LOCAL if self.current == name else self.current, rest)


def chosen_server(settings: Settings) -> ServerContext | None:
    """Return the server that commands work with, or None for the data folder.

    In order of precedence: `--context` and LOCKSTEP_CONTEXT, then an explicit data folder or database, then the context in use.
    """
    if settings.context:
        return None if settings.context == LOCAL else read_contexts().named(settings.context)
    if settings.origins["data"] != "default" or "lockstep" in settings.database_urls:
        return None
    kept = read_contexts()
    return None if kept.current == LOCAL else kept.named(kept.current)


def contexts_file() -> Path:
    """Return the path of the contexts file: below XDG_CONFIG_HOME, by default ~/.config."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".config"
    return base / "lockstep" / "contexts.json"


def read_contexts() -> Contexts:
    """Return the stored contexts. Raises LockstepError if the file is damaged or if other users can read it."""
    file = contexts_file()
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        data = file.read_bytes()
    except FileNotFoundError:
        return Contexts()
    except OSError as refused:
        raise invalid(f"{file} cannot be read: {refused.strerror}", next_step=CHECK_READING) from None
    if os.name == "posix" and mode & 0o077:
        raise conflict(
            f"{file} can be read by other users (mode {mode:04o}), and it holds your tokens",
            next_step=f"chmod 600 {file}   If others may have read it, run: lockstep logout",
        )
    try:
        told = orjson.loads(data)
        servers = {name: _server(name, one) for name, one in told["contexts"].items()}
        return Contexts(str(told["current"]), servers).using(str(told["current"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise invalid(f"{file} is damaged", next_step=f"Delete it and sign in again: rm {file}") from None


def write_contexts(contexts: Contexts) -> None:
    """Store *contexts* atomically, readable only by the user. Raises LockstepError if that fails."""
    file = contexts_file()
    told = {
        "format": _FORMAT,
        "current": contexts.current,
        "contexts": {
            one.name: {
                "url": one.url,
                "token": one.token.reveal(),
                "who": one.who,
                "expiresAt": one.expires_at.isoformat(),
                "caFile": one.ca_file,
                "isOwn": one.is_own,
            }
            for one in contexts.servers.values()
        },
    }
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, new = tempfile.mkstemp(dir=file.parent, prefix=".contexts-")  # mode 0600
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        Path(new).replace(file)
    except OSError as refused:
        raise invalid(
            f"{file} cannot be written: {refused.strerror}", next_step="Name another folder in XDG_CONFIG_HOME"
        ) from None


def row_of(server: ServerContext, *, is_current: bool) -> dict[str, Any]:
    """Return *server* in the form that commands print, without its token."""
    return {
        "current": is_current,
        "name": server.name,
        "url": server.url,
        "who": server.who,
        "expiresAt": iso(server.expires_at),
    }


def _server(name: str, told: Mapping[str, Any]) -> ServerContext:
    return ServerContext(
        name,
        told["url"],
        Secret(told["token"]),
        told["who"],
        datetime.fromisoformat(told["expiresAt"]),
        told["caFile"],
        bool(told["isOwn"]),
    )
