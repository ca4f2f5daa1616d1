"""The filters of the sign-in log, as parameters of an address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lockstep.actions.person_sign_in.outcomes import CODES, meaning_of
from lockstep.actions.sign_in_logs import SignInFilter, SignInRow
from lockstep.web.copied import api_list, command_with
from lockstep.web.log_form import RANGES, time_terms
from lockstep.web.status_look import StatusLook

RESULTS: Mapping[str, StatusLook] = {
    "success": StatusLook("Success", "ok", "check-circle"),
    "failure": StatusLook("Failure", "error", "error"),
    "interrupted": StatusLook("Interrupted", "neutral", "circle"),
}
METHODS: Mapping[str, str] = {
    "password": "password",
    "code": "authenticator app",
    "passkey": "passkey",
    "directory": "password of the directory",
    "provider": "identity provider",
    "reentered": "entered again",
}
_NAMES = ("app", "status", "code", "range", "user", "address")


@dataclass(frozen=True, slots=True)
class SignInQuery:
    """The filters in an address. Unknown values of a choice are ignored."""

    app: str = ""
    status: str = ""
    code: str = ""
    range: str = ""
    user: str = ""
    address: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> SignInQuery:
        given = {name: query.get(name, "").replace("\0", "").strip() for name in _NAMES}
        for name, known in (("status", set(RESULTS)), ("range", set(RANGES)), ("code", set(CODES))):
            if given[name] not in known:
                given[name] = ""
        return cls(**given)

    def as_query(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in _NAMES if getattr(self, name)}

    def as_filter(self, now: datetime, below: int | None = None) -> SignInFilter:
        length = RANGES[self.range][1]
        return SignInFilter(
            user=self.user or None,
            result=self.status or None,
            code=self.code or None,
            address=self.address or None,
            after=now - length if length else None,
            below_seq=below,
        )

    def as_command(self) -> str:
        """Return the command that lists the same records, or "" if the command line lacks one of the filters that are set."""
        if self.address or self.user:
            return ""
        flags = {name: getattr(self, name) for name in ("app", "status", "code")}
        return command_with("lockstep logs sign-ins", **flags, since=self.range)

    def as_api(self, now: datetime) -> str:
        """Return the address of the same list in the API, or "" if the API lacks one of the filters that are set."""
        if self.address:
            return ""
        wanted = self.as_filter(now)
        return api_list(
            "/api/v1/sign-ins",
            ("application", "eq", self.app),
            ("user", "eq", self.user),
            ("result", "eq", self.status),
            ("code", "eq", self.code),
            *time_terms(wanted.after, wanted.before),
        )


@dataclass(frozen=True, slots=True)
class SignInLine:
    """A sign-in record as pages show it."""

    row: SignInRow

    @property
    def look(self) -> StatusLook:
        return RESULTS[self.row.result]

    @property
    def who(self) -> str:
        return self.row.person_display or "An unknown name"

    @property
    def app(self) -> str:
        return self.row.app_display or "My Apps"

    @property
    def how(self) -> str:
        return ", ".join(METHODS.get(one, one) for one in self.row.methods)

    @property
    def reason(self) -> str:
        return meaning_of(self.row.code)


def reasons() -> list[tuple[str, str]]:
    """Return the choices of the filter by reason."""
    return [("", "All reasons"), *((one, meaning_of(one)) for one in CODES)]
