"""The errors of the SCIM protocol: HTTP status, scimType, and a detail that names the attribute and the remedy.

The status is a string in JSON (RFC 7644, section 3.12) and a number in Python.
"""

from __future__ import annotations

from typing import Any

from lockstep.errors import Kind, LockstepError

ERROR_URN = "urn:ietf:params:scim:api:messages:2.0:Error"

_KINDS: dict[int, Kind] = {
    401: Kind.UNAUTHORIZED,
    403: Kind.FORBIDDEN,
    404: Kind.NOT_FOUND,
    409: Kind.CONFLICT,
    412: Kind.CONFLICT,
    429: Kind.THROTTLED,
    503: Kind.UNREACHABLE,
}


class ScimError(LockstepError):
    """An error that is returned to a SCIM client.

    *scim_type* is a keyword of table 9 of RFC 7644, or "" if none fits. *path* names the attribute at fault.
    """

    def __init__(self, status: int, scim_type: str = "", detail: str = "", path: str = "") -> None:
        kind = _KINDS.get(status, Kind.INTERNAL if status >= 500 else Kind.INVALID)
        super().__init__(kind, detail, code=scim_type or str(status), retryable=status in (429, 503))
        self.status = status
        self.scim_type = scim_type
        self.path = path

    def error_body(self) -> dict[str, Any]:
        """Return the JSON body of the error response (RFC 7644, section 3.12)."""
        body: dict[str, Any] = {"schemas": [ERROR_URN], "status": str(self.status)}
        if self.scim_type:
            body["scimType"] = self.scim_type
        if self.detail:
            body["detail"] = self.detail
        return body


def invalid_filter(detail: str) -> ScimError:
    """Return the error for a filter that is malformed or compares values that cannot be compared."""
    return ScimError(400, "invalidFilter", detail)


def invalid_path(detail: str, path: str = "") -> ScimError:
    """Return the error for a PATCH path that is malformed or names an unknown attribute."""
    return ScimError(400, "invalidPath", detail, path)


def invalid_value(detail: str, path: str = "") -> ScimError:
    """Return the error for a value that is missing, has the wrong type, or does not fit the operation."""
    return ScimError(400, "invalidValue", detail, path)


def invalid_syntax(detail: str) -> ScimError:
    """Return the error for a body that is not JSON or not a valid message."""
    return ScimError(400, "invalidSyntax", detail)


def no_target(detail: str, path: str = "") -> ScimError:
    """Return the error for a PATCH path that selects nothing to change."""
    return ScimError(400, "noTarget", detail, path)


def mutability_error(detail: str, path: str = "") -> ScimError:
    """Return the error for a write to a read-only attribute, or to an immutable attribute that already has a value."""
    return ScimError(400, "mutability", detail, path)


def uniqueness_error(detail: str, path: str = "") -> ScimError:
    """Return the error for a value that must be unique and that another resource already has."""
    return ScimError(409, "uniqueness", detail, path)


def not_found(detail: str) -> ScimError:
    """Return the error for a resource or endpoint that does not exist. RFC 7644 has no scimType for it."""
    return ScimError(404, "", detail)


def too_large(detail: str) -> ScimError:
    """Return the error for a body that is too large or contains too many operations."""
    return ScimError(413, "", detail)
