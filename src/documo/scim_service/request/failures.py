"""Turn every exception into an error response of RFC 7644 that reveals nothing internal."""

from __future__ import annotations

import math

import psycopg
import structlog

from lockstep.errors import LockstepError
from lockstep.scim.errors import ScimError

log = structlog.get_logger("documo.scim")

AWAY_SECONDS = 1  # a restarting database returns soon


class Throttled(ScimError):
    """Raised for status 429: the account exceeds its share of the service. The client may retry after *seconds*."""

    def __init__(self, what: str, seconds: float) -> None:
        self.seconds = max(1, math.ceil(seconds))
        super().__init__(429, "", f"{what}: try again in {self.seconds} s.")


def scim_error(error: Exception, *, method: str) -> ScimError:
    """Return the SCIM error for an exception. Errors that are not the client's fault are logged."""
    match error:
        case ScimError():
            return error
        case LockstepError():
            return ScimError(503 if error.retryable else 400, "", error.detail)
        case psycopg.errors.DataError() | psycopg.errors.ProgramLimitExceeded() | psycopg.errors.StatementTooComplex():
            log.warning("database_refused_data", sqlstate=error.sqlstate)
            return ScimError(400, "invalidValue", "A value in the request cannot be stored or compared.")
        case psycopg.OperationalError():
            log.error("database_unavailable", error=type(error).__name__)
            return ScimError(503, "", "The service cannot reach its database. Try again in a moment.")
        case _:
            log.error("request_failed", method=method, exc_info=error)
            return ScimError(500, "", "Internal error in Documo. Try again; if it happens again, contact Documo.")


def retry_after(error: ScimError) -> int:
    """Return the seconds for the header Retry-After, or 0 for an error without that header."""
    if isinstance(error, Throttled):
        return error.seconds
    return AWAY_SECONDS if error.status == 503 else 0
