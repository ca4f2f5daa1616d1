"""The permissions of members on Documo's pages, and the table that lists the permissions of each role.

Every page that needs a session names a permission, and members without it are refused. API keys have scopes instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from documo.members import ADMIN
from lockstep.errors import Kind, LockstepError

EDITOR, MEMBER, VIEWER = "Editor", "Member", "Viewer"


class MemberPermission(StrEnum):
    """A permission. Each value completes the sentence "A member may ..."."""

    OWN_ACCOUNT = "change their own password, second factor and sessions"
    DOCUMENTS_READ = "read documents"
    DOCUMENTS_UPLOAD = "upload documents"
    DOCUMENTS_DELETE_OWN = "delete their own documents"
    DOCUMENTS_DELETE_ALL = "delete other people's documents"
    USERS = "manage users"
    ACCOUNT = "see the settings of the account"
    API_KEYS = "manage API keys"
    BRANDING = "change the brand and the domains of the account"
    SINGLE_SIGN_ON = "manage single sign-on"
    SCIM = "manage SCIM and see its requests"
    AUDIT_LOG = "read the audit log"


_EVERYBODY = frozenset({ADMIN, EDITOR, MEMBER, VIEWER})
_ADMIN = frozenset({ADMIN})

TABLE: Mapping[MemberPermission, frozenset[str]] = {
    MemberPermission.OWN_ACCOUNT: _EVERYBODY,
    MemberPermission.DOCUMENTS_READ: _EVERYBODY,
    MemberPermission.DOCUMENTS_UPLOAD: frozenset({ADMIN, EDITOR, MEMBER}),
    MemberPermission.DOCUMENTS_DELETE_OWN: frozenset({ADMIN, EDITOR, MEMBER}),
    MemberPermission.DOCUMENTS_DELETE_ALL: frozenset({ADMIN, EDITOR}),
    MemberPermission.USERS: _ADMIN,
    MemberPermission.ACCOUNT: _ADMIN,
    MemberPermission.API_KEYS: _ADMIN,
    MemberPermission.BRANDING: _ADMIN,
    MemberPermission.SINGLE_SIGN_ON: _ADMIN,
    MemberPermission.SCIM: _ADMIN,
    MemberPermission.AUDIT_LOG: _ADMIN,
}


def allows(role: str, permission: MemberPermission) -> bool:
    """Whether *role* has the permission. Roles that the account itself created have the permissions of Member."""
    return (role if role in _EVERYBODY else MEMBER) in TABLE[permission]


def require(role: str, permission: MemberPermission, *, to: str = "") -> None:
    """Raise LockstepError unless *role* has the permission. The error describes the refused task with the text in *to*. If *to* is "", the
    error uses the permission's own text.
    """
    if allows(role, permission):
        return
    what = to or permission.value
    is_for_admins = TABLE[permission] == _ADMIN
    raise LockstepError(
        Kind.FORBIDDEN,
        f"Only an Admin may {what}; your role is {role}"
        if is_for_admins
        else f"With the role {role}, you may not {what}",
        next_step="Ask an Admin of your account to do it or to give you another role",
    )
