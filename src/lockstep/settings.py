"""The settings of the process. A flag overrides an environment variable, and a variable overrides the default.

Settings are checked once and cannot be changed afterwards. An unknown LOCKSTEP_ variable is an error, because a misspelt safety setting
must not silently become the default. With `_FILE` added to its name, any variable can name a file with the value instead (container
secrets).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from lockstep.errors import CHECK_READING, LockstepError, invalid
from lockstep.http.origins import read_entry
from lockstep.postgres.database import urls_from
from lockstep.serving.tokens import checked_token
from lockstep.vault import Secret
from lockstep.wording import nearest, read_length

METRICS_TOKEN = "LOCKSTEP_METRICS_TOKEN"  # noqa: S105  # its name
LOGIN_TOKEN = "LOCKSTEP_TOKEN"  # noqa: S105  # its name
SECRETS = ("LOCKSTEP_KEY", "LOCKSTEP_KEY_OLDER", METRICS_TOKEN, LOGIN_TOKEN)
TEST_PREFIX = "LOCKSTEP_TEST_"


def _folder(text: str) -> Path:
    return Path(text).expanduser()


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text) if re.fullmatch(r"\d{1,9}", text, re.ASCII) else -1
        if not lowest <= number <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return number

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text.lower()

    return read


def _duration(text: str) -> timedelta:
    length = read_length(text)
    if not length:
        raise ValueError("must be a duration such as 30s, 40m, 2h or 30d")
    return length


def _allowed(text: str) -> tuple[str, ...]:
    return tuple(read_entry(word) for word in re.split(r"[\s,]+", text.strip()) if word)


def _networks(text: str) -> tuple[str, ...]:
    words = tuple(re.split(r"[\s,]+", text.strip()))
    for word in words:
        try:
            ip_network(word, strict=False)
        except ValueError:
            raise ValueError(f"{word[:100]!r} is neither an address nor a network such as 10.0.0.0/8") from None
    return words


def _from(variable: str, meaning: str, read: Callable[[str], Any], otherwise: str = "") -> dict[str, Any]:
    """Define a setting that is read from *variable*. *otherwise* describes the default if the default value alone does not explain it."""
    return {"variable": variable, "meaning": meaning, "read": read, "otherwise": otherwise}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of this process. *origins* says for each setting where its value came from: a flag, a variable or the default."""

    data: Path = field(default=Path("lockstep-data"), metadata=_from("LOCKSTEP_DATA", "The data folder", _folder))
    sources: Path | None = field(
        default=None,
        metadata=_from(
            "LOCKSTEP_SOURCES",
            "Administrators may name only source files inside this folder; the command line may name any file",
            _folder,
            "the folder `sources` in the data folder",
        ),
    )
    context: str = field(
        default="",
        metadata=_from(
            "LOCKSTEP_CONTEXT", "The server that commands work with: a name from `lockstep context list`", str
        ),
    )
    host: str = field(default="127.0.0.1", metadata=_from("LOCKSTEP_HOST", "The address to listen on", str))
    port: int = field(
        default=8080, metadata=_from("LOCKSTEP_PORT", "The port to listen on; PORT works too", _whole(0, 65535))
    )
    postgres_user: str | None = field(
        default=None,
        metadata=_from(
            "LOCKSTEP_POSTGRES_USER", "The user who runs the included PostgreSQL if Lockstep runs as root", str
        ),
    )
    outbound_allow: tuple[str, ...] = field(
        default=(),
        metadata=_from(
            "LOCKSTEP_OUTBOUND_ALLOW",
            "Private origins and networks that Lockstep may connect to, in addition to `lockstep outbound list`",
            _allowed,
        ),
    )
    worker_concurrency: int = field(
        default=4,
        metadata=_from("LOCKSTEP_WORKER_CONCURRENCY", "Number of tasks that a worker runs in parallel", _whole(1, 64)),
    )
    pool_size: int = field(
        default=10,
        metadata=_from("LOCKSTEP_POOL_SIZE", "Maximum number of database connections of one process", _whole(2, 90)),
    )
    cycle_interval: timedelta = field(
        default=timedelta(minutes=40),
        metadata=_from("LOCKSTEP_CYCLE_INTERVAL", "The longest time between two cycles of a job", _duration),
    )
    purge_after: timedelta = field(
        default=timedelta(days=30),
        metadata=_from("LOCKSTEP_PURGE_AFTER", "How long a deleted person can be restored", _duration),
    )
    log_level: str = field(
        default="info",
        metadata=_from(
            "LOCKSTEP_LOG_LEVEL", "The lowest level that is logged", _one_of("debug", "info", "warning", "error")
        ),
    )
    log_format: str = field(
        default="auto",
        metadata=_from(
            "LOCKSTEP_LOG_FORMAT", "auto: text on a terminal, otherwise JSON", _one_of("auto", "text", "json")
        ),
    )
    trusted_proxies: tuple[str, ...] = field(
        default=(),
        metadata=_from(
            "LOCKSTEP_TRUSTED_PROXIES",
            "Addresses and networks of reverse proxies, whose X-Forwarded-For and X-Forwarded-Proto are trusted",
            _networks,
        ),
    )
    database_urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    key: Secret | None = None
    older_key: Secret | None = None
    metrics_token: Secret | None = None
    login_token: Secret | None = None
    origins: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def sources_folder(self) -> Path:
        """Return the folder for sources' files as an absolute path."""
        return Path(self.sources or self.data / "sources").expanduser().absolute()


def load_settings(environment: Mapping[str, str], flags: Mapping[str, object] | None = None) -> Settings:
    """Build the settings from *flags* and *environment*. A flag with the value None counts as not given.

    Raises LockstepError for an unknown name or an invalid value; a value that may be secret is not quoted.
    """
    _refuse_unknown(environment)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    known = {one.name: one for one in fields(Settings) if one.metadata}
    for name, given in (flags or {}).items():
        if name not in known:
            raise invalid(f"Unknown setting {name}")
        if given is not None:
            values[name], origins[name] = _read(known[name].metadata, str(given), f"--{name.replace('_', '-')}"), "flag"
    for name, one in known.items():
        variable = one.metadata["variable"]
        text = _lookup(environment, variable) or (environment.get("PORT", "").strip() if name == "port" else "")
        if name not in values and text:
            values[name], origins[name] = _read(one.metadata, text, variable), variable
    return Settings(
        **values,
        database_urls=urls_from(environment),
        key=_secret(environment, "LOCKSTEP_KEY"),
        older_key=_secret(environment, "LOCKSTEP_KEY_OLDER"),
        metrics_token=_metrics_token(environment),
        login_token=_secret(environment, LOGIN_TOKEN),
        origins={name: origins.get(name, "default") for name in known},
    )


def documented() -> list[tuple[str, str, object]]:
    """Return each variable with its meaning and default, for `help environment` and the documentation."""
    return [
        (one.metadata["variable"], one.metadata["meaning"], one.metadata["otherwise"] or one.default)
        for one in fields(Settings)
        if one.metadata
    ]


def _read(metadata: Mapping[str, Any], text: str, where: str) -> object:
    try:
        return metadata["read"](text)
    except ValueError as wrong:
        raise invalid(f"{where}: {wrong}") from None


def _secret(environment: Mapping[str, str], variable: str) -> Secret | None:
    text = _lookup(environment, variable)
    return Secret(text) if text else None


def _metrics_token(environment: Mapping[str, str]) -> Secret | None:
    text = _lookup(environment, METRICS_TOKEN)
    return Secret(checked_token(text, variable=METRICS_TOKEN)) if text else None


def _lookup(environment: Mapping[str, str], variable: str) -> str:
    text = environment.get(variable, "").strip()
    file = environment.get(f"{variable}_FILE", "").strip()
    if text or not file:
        return text
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as refused:
        why = refused.strerror if isinstance(refused, OSError) else "It is not valid UTF-8 text"
        raise invalid(
            f"{variable}_FILE names {file}, which cannot be read",
            why=why or "",
            next_step=CHECK_READING,
        ) from None


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = {one.metadata["variable"] for one in fields(Settings) if one.metadata} | set(SECRETS)
    for variable in sorted(environment):
        if not variable.startswith("LOCKSTEP_") or variable.startswith(TEST_PREFIX):
            continue
        if variable in known or variable.removesuffix("_FILE") in known:
            continue
        raise _unknown(variable, known)


def _unknown(variable: str, known: set[str]) -> LockstepError:
    near = nearest(variable, sorted(known))
    return invalid(
        f"Unknown setting {variable}",
        next_step=f"Did you mean {near[0]}? Otherwise: unset {variable}" if near else f"unset {variable}",
    )
