"""The commands that work with a server on another machine, and those that do not. Every command is in one of the three tables, and a test
checks this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockstep.errors import LockstepError, conflict

if TYPE_CHECKING:
    from lockstep.cli.remote.contexts import ServerContext

# These commands call actions, which run on the server. They print the same output.
WORK_ANYWHERE = frozenset(
    {
        "activity", "admins list", "admins sso show", "admins sso test", "apply",
        "apps add", "apps delete", "apps list", "apps roles add", "apps roles disable",
        "apps roles enable",
        "apps roles list", "apps roles manifest", "apps roles move", "apps roles remove", "apps show", "assign add", "assign list",
        "assign remove", "assign set", "audit", "audit show", "audit verify", "config comment",
        "config diff", "config history", "config restore",
        "creds set", "creds show", "creds test", "cycles", "deletes approve", "deletes list", "deletes reject", "diff", "explain", "export",
        "expr eval", "expr repl", "groups add-member", "groups create", "groups delete", "groups list", "groups remove-member",
        "groups restore", "groups rule clear", "groups rule set", "groups rule show", "groups rule test", "groups show", "links",
        "logs", "logs show", "logs sign-ins", "mail list", "mail remove", "mail retry", "mail set", "mail show", "mail test",
        "webhook remove", "webhook set", "webhook show", "webhook test",
        "map attributes", "map eval", "map lint", "map list", "map set", "map show", "outbound add",
        "organisation", "outbound list", "outbound remove", "pause", "people delete", "people disable", "people enable", "people list",
        "people purge", "people restore", "people set", "people show", "people sign-in end", "people sign-in factors",
        "people sign-in ldap remove", "people sign-in ldap set", "people sign-in ldap show", "people sign-in ldap test",
        "people sign-in link",
        "people sign-in remove-factor", "people sign-in sessions", "people sign-in set",
        "plan", "preview", "push", "quarantine clear", "quarantine show",
        "restart", "retention", "retry", "run", "scope set", "scope show", "scope test", "secrets", "settings", "sources add",
        "sources confirm",
        "sources import", "sources list", "sources reject", "sources rekey", "sources remove", "sources rename", "sources show",
        "sources status", "sso address", "sso certs activate", "sso certs download", "sso certs list", "sso certs new",
        "sso certs remove", "sso claims list", "sso claims remove", "sso claims set", "sso import", "sso keys list", "sso keys roll",
        "sso oidc", "sso secrets list", "sso secrets remove", "sso set", "sso show", "sso test", "start", "status", "timeline",
    }
)  # fmt: skip
# These commands need no server: they use files on this machine, or information built into Lockstep.
NEED_NOTHING = frozenset(
    {
        "admins roles", "apps templates", "completion", "context list", "context use", "expr functions", "expr test", "fmt",
        "help", "import", "login", "logout", "people attributes", "scim check", "version", "whoami",
    }
)  # fmt: skip
_SERVERS = "The command runs processes on the server's machine"
_DISK = "The command accesses the server's disk directly"
_TOKENS = "A token cannot create or change administrators and tokens"
# Why a command works only on the server's machine, and what to do instead.
ONLY_HERE: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        [f"admins {word}" for word in ("disable", "enable", "invite", "remove", "reset-password", "set", "sign-out",
                                     "sso remove", "sso set")],
        (_TOKENS, "Use Settings > Administrators in the admin centre, or run the command on that machine"),
    ),
    "backup": (_DISK, "Run it on that machine"),
    "doctor": ("The command checks the server's machine", "Run it on that machine; for one application: lockstep creds test APP"),
    **dict.fromkeys(["key new", "key rotate"], (_DISK, "Run it on that machine")),
    "migrate": (_DISK, "Run it on that machine"),
    "restore": (_DISK, "Run it on that machine"),
    "serve": (_SERVERS, "Run it on that machine"),
    "sso metadata": (
        "The server publishes the metadata at its own address",
        "Fetch it from the address that is shown by: lockstep sso show APP",
    ),
    "sso secrets new": (
        "Secrets that are shown only once are never sent to another machine",
        "Use the application's Single sign-on page in the admin centre, or run the command on that machine",
    ),
    **dict.fromkeys(
        [f"token {word}" for word in ("create", "list", "revoke")],
        (_TOKENS, "Use Settings > Access tokens in the admin centre, or run the command on that machine"),
    ),
    "up": (_SERVERS, "To start both products on this machine, put --context local before the command"),
    "worker": (_SERVERS, "Run it on that machine"),
}  # fmt: skip


def works_anywhere(command: str) -> bool:
    """Return whether *command* ("sources list") works with a server on another machine."""
    return command in WORK_ANYWHERE or command in NEED_NOTHING


def refused(command: str, server: ServerContext) -> LockstepError:
    """Return the error for a *command* that cannot work with *server*."""
    why, instead = ONLY_HERE[command]
    return conflict(
        f"lockstep {command} does not work with {server.name} ({server.url}), the server in use",
        why=why,
        next_step=f"{instead}. To use the data folder of this machine, put --context local before the command",
    )
