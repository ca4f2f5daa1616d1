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
    """An error response for a SCIM client.

    *scim_type* is one of RFC 7644, table 9, or "" if none of them fits. *path* is the attribute at fault.
    """

    def __init__(self, status: int, scim_type: str = "", detail: str = "", path: str = "") -> None:
        kind = _KINDS.get(status, Kind.INTERNAL if status >= 500 else Kind.INVALID)
        super().__init__(kind, detail, code=scim_type or str(status), retryable=status in (429, 503))
        self.status = status
        self.scim_type = scim_type
        self.path = path

    def error_body(self) -> dict[str, Any]:
        """The JSON body of RFC 7644, section 3.12."""
        body: dict[str, Any] = {"schemas": [ERROR_URN], "status": str(self.status)}
        if self.scim_type:
            body["scimType"] = self.scim_type
        if self.detail:
            body["detail"] = self.detail
        return body


def invalid_filter(detail: str) -> ScimError:
    """The filter is malformed or compares incomparable values."""
    return ScimError(400, "invalidFilter", detail)


def invalid_path(detail: str, path: str = "") -> ScimError:
    """The path of a PATCH operation is malformed or names an unknown attribute."""
    return ScimError(400, "invalidPath", detail, path)


def invalid_value(detail: str, path: str = "") -> ScimError:
    """A value is missing, of the wrong type, or does not fit the operation."""
    return ScimError(400, "invalidValue", detail, path)


def invalid_syntax(detail: str) -> ScimError:
    """The body is not JSON, or not a valid message."""
    return ScimError(400, "invalidSyntax", detail)


def no_target(detail: str, path: str = "") -> ScimError:
    """The path of a PATCH operation selects nothing to change."""
    return ScimError(400, "noTarget", detail, path)


def mutability_error(detail: str, path: str = "") -> ScimError:
    """The attribute is read-only, or immutable and already set."""
    return ScimError(400, "mutability", detail, path)


def uniqueness_error(detail: str, path: str = "") -> ScimError:
    """Another resource already has the value."""
    return ScimError(409, "uniqueness", detail, path)


def not_found(detail: str) -> ScimError:
    """The resource or endpoint does not exist. RFC 7644 has no scimType for this."""
    return ScimError(404, "", detail)


def too_large(detail: str) -> ScimError:
    """The body or its number of operations exceeds the limit."""
    return ScimError(413, "", detail)
