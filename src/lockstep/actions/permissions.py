"""The permissions, the roles, and the table that lists the permissions of each role.

The command line, the API and the pages never decide about permissions. They call an action, and the action refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from lockstep.errors import Kind, LockstepError


class Role(StrEnum):
    """A role of an administrator. The values are stored in the database."""

    GLOBAL_ADMINISTRATOR = "globalAdministrator"
    APPLICATION_ADMINISTRATOR = "applicationAdministrator"
    CLOUD_APPLICATION_ADMINISTRATOR = "cloudApplicationAdministrator"
    APPLICATION_OWNER = "applicationOwner"
    OPERATOR = "operator"
    HELP_DESK = "helpDesk"
    AUDITOR = "auditor"


ROLE_NAMES: Mapping[Role, str] = {
    Role.GLOBAL_ADMINISTRATOR: "Global administrator",
    Role.APPLICATION_ADMINISTRATOR: "Application administrator",
    Role.CLOUD_APPLICATION_ADMINISTRATOR: "Cloud application administrator",
    Role.APPLICATION_OWNER: "Application owner",
    Role.OPERATOR: "Operator",
    Role.HELP_DESK: "Help desk",
    Role.AUDITOR: "Auditor",
}


class Permission(StrEnum):
    """A permission. The values are also the scopes of access tokens."""

    DIRECTORY_READ = "directory.read"
    PEOPLE_WRITE = "people.write"
    PEOPLE_SIGN_IN = "people.signIn"
    SOURCES_WRITE = "sources.write"
    SOURCES_IMPORT = "sources.import"
    SOURCES_DECIDE = "sources.decide"
    APPLICATIONS_READ = "applications.read"
    APPLICATIONS_CREATE = "applications.create"
    APPLICATIONS_WRITE = "applications.write"
    ASSIGNMENTS_WRITE = "assignments.write"
    CONFIGURATION_WRITE = "configuration.write"
    CREDENTIALS_WRITE = "credentials.write"
    SIGN_ON_WRITE = "signOn.write"
    CONNECTION_TEST = "connection.test"
    PROVISIONING_CONTROL = "provisioning.control"
    PROVISIONING_PUSH = "provisioning.push"
    APPROVALS_DECIDE = "approvals.decide"
    LINKS_WRITE = "links.write"
    LOGS_READ = "logs.read"
    OUTBOUND_WRITE = "outbound.write"
    MAIL_READ = "mail.read"
    MAIL_WRITE = "mail.write"
    ORGANISATION_WRITE = "organisation.write"
    AUDIT_READ = "audit.read"
    ADMINISTRATORS_READ = "administrators.read"
    ADMINISTRATORS_WRITE = "administrators.write"
    TOKENS_WRITE = "tokens.write"
    SERVICE_TOKENS_WRITE = "serviceTokens.write"


MEANINGS: Mapping[Permission, str] = {
    Permission.DIRECTORY_READ: "see people, groups and sources",
    Permission.PEOPLE_WRITE: "change, disable, delete and restore people; change groups, members and group rules",
    Permission.PEOPLE_SIGN_IN: "create password links for people, see and end their sessions, remove their second factor",
    Permission.SOURCES_WRITE: "add, change and remove sources; import your own file",
    Permission.SOURCES_IMPORT: "import a registered source",
    Permission.SOURCES_DECIDE: "confirm or reject changes held because a source shrank",
    Permission.APPLICATIONS_READ: "see applications, their configuration, status and accounts, and preview provisioning",
    Permission.APPLICATIONS_CREATE: "add applications",
    Permission.APPLICATIONS_WRITE: "change the roles and labels of an application; remove the application",
    Permission.ASSIGNMENTS_WRITE: "assign people and groups to an application",
    Permission.CONFIGURATION_WRITE: "change settings, mappings and scoping filters, apply files, test an application by writing to it",
    Permission.CREDENTIALS_WRITE: "store the tenant URL and the secret token of an application",
    Permission.SIGN_ON_WRITE: "change how people sign in to an application: its addresses, claims and signing certificates",
    Permission.CONNECTION_TEST: "test the connection with the stored credentials",
    Permission.PROVISIONING_CONTROL: "start, pause, restart, run and retry provisioning; make and apply previews; end a quarantine",
    Permission.PROVISIONING_PUSH: "provision named people and groups on demand",
    Permission.APPROVALS_DECIDE: "approve or reject held writes",
    Permission.LINKS_WRITE: "link people to existing accounts, remove links, settle accounts without a link",
    Permission.LOGS_READ: "read the provisioning log and the sign-in log",
    Permission.OUTBOUND_WRITE: "change the private networks that Lockstep may connect to",
    Permission.MAIL_READ: "see the mail server and the messages that were sent",
    Permission.MAIL_WRITE: "set the mail server, send test mails, send messages again",
    Permission.ORGANISATION_WRITE: "change the organisation's settings, mark the data as restored, delete tokens that cannot be decrypted",
    Permission.AUDIT_READ: "read and verify the audit log, see which secrets are stored",
    Permission.ADMINISTRATORS_READ: "see administrators and their roles",
    Permission.ADMINISTRATORS_WRITE: "invite, change, disable and remove administrators",
    Permission.TOKENS_WRITE: "create and revoke your own access tokens",
    Permission.SERVICE_TOKENS_WRITE: "create service tokens; see and revoke all tokens",
}

EVERYTHING: frozenset[str] = frozenset(Permission)

_G = Role.GLOBAL_ADMINISTRATOR
_A = Role.APPLICATION_ADMINISTRATOR
_C = Role.CLOUD_APPLICATION_ADMINISTRATOR
_W = Role.APPLICATION_OWNER
_O = Role.OPERATOR
_H = Role.HELP_DESK
_AUDITOR = Role.AUDITOR
_EVERY_ROLE = frozenset(Role)

# Cloud application administrators lack one permission of application administrators, as in Entra: access to private networks.
TABLE: Mapping[Permission, frozenset[Role]] = {
    Permission.DIRECTORY_READ: _EVERY_ROLE,
    Permission.PEOPLE_WRITE: frozenset({_G}),
    Permission.PEOPLE_SIGN_IN: frozenset({_G, _H}),
    Permission.SOURCES_WRITE: frozenset({_G}),
    Permission.SOURCES_IMPORT: frozenset({_G, _O}),
    Permission.SOURCES_DECIDE: frozenset({_G, _O}),
    Permission.APPLICATIONS_READ: _EVERY_ROLE,
    Permission.APPLICATIONS_CREATE: frozenset({_G, _A, _C}),
    Permission.APPLICATIONS_WRITE: frozenset({_G, _A, _C, _W}),
    Permission.ASSIGNMENTS_WRITE: frozenset({_G, _A, _C, _W}),
    Permission.CONFIGURATION_WRITE: frozenset({_G, _A, _C, _W}),
    Permission.CREDENTIALS_WRITE: frozenset({_G, _A, _C, _W}),
    Permission.SIGN_ON_WRITE: frozenset({_G, _A, _C, _W}),
    Permission.CONNECTION_TEST: frozenset({_G, _A, _C, _W, _O}),
    Permission.PROVISIONING_CONTROL: frozenset({_G, _A, _C, _W, _O}),
    Permission.PROVISIONING_PUSH: frozenset({_G, _A, _C, _W, _O, _H}),
    Permission.APPROVALS_DECIDE: frozenset({_G, _A, _C, _W, _O}),
    Permission.LINKS_WRITE: frozenset({_G, _A, _C, _W}),
    Permission.LOGS_READ: _EVERY_ROLE,
    Permission.OUTBOUND_WRITE: frozenset({_G, _A}),
    Permission.MAIL_READ: frozenset({_G, _O, _AUDITOR}),
    Permission.MAIL_WRITE: frozenset({_G}),
    Permission.ORGANISATION_WRITE: frozenset({_G}),
    Permission.AUDIT_READ: frozenset({_G, _AUDITOR}),
    Permission.ADMINISTRATORS_READ: frozenset({_G, _AUDITOR}),
    Permission.ADMINISTRATORS_WRITE: frozenset({_G}),
    Permission.TOKENS_WRITE: _EVERY_ROLE,
    Permission.SERVICE_TOKENS_WRITE: frozenset({_G}),
}

# Permissions about one application. An application owner has them only in their own applications.
IN_ONE_APPLICATION: frozenset[Permission] = frozenset(
    {
        Permission.APPLICATIONS_READ,
        Permission.APPLICATIONS_WRITE,
        Permission.ASSIGNMENTS_WRITE,
        Permission.CONFIGURATION_WRITE,
        Permission.CREDENTIALS_WRITE,
        Permission.SIGN_ON_WRITE,
        Permission.CONNECTION_TEST,
        Permission.PROVISIONING_CONTROL,
        Permission.PROVISIONING_PUSH,
        Permission.APPROVALS_DECIDE,
        Permission.LINKS_WRITE,
        Permission.LOGS_READ,
    }
)

# An administrator who signed in some time ago must first enter the password again, because someone else may be at the keyboard.
NEEDS_STEP_UP: frozenset[Permission] = frozenset(
    {
        Permission.CREDENTIALS_WRITE,
        Permission.MAIL_WRITE,
        Permission.SIGN_ON_WRITE,
        Permission.PEOPLE_SIGN_IN,
        Permission.ADMINISTRATORS_WRITE,
        Permission.TOKENS_WRITE,
        Permission.SERVICE_TOKENS_WRITE,
    }
)

# A token cannot create tokens or administrators, because they would outlive it.
SCOPES: frozenset[Permission] = frozenset(Permission) - {
    Permission.ADMINISTRATORS_WRITE,
    Permission.TOKENS_WRITE,
    Permission.SERVICE_TOKENS_WRITE,
}


class NotPermitted(LockstepError):
    """Raised if the caller lacks *permission*. *app* is the id of the application for which the caller needs the permission, or "" if the
    caller needs it everywhere.
    """

    def __init__(self, who: str, permission: str, app: str = "") -> None:
        super().__init__(
            Kind.FORBIDDEN,
            f"{who} is not allowed to do this",
            why=f"This needs the permission {permission}, which these roles have: {', '.join(roles_with(permission))}",
            next_step="Ask a Global administrator",
        )
        self.permission = permission
        self.app = app


class StepUpRequired(LockstepError):
    """Raised if the caller may call the action only after entering the password again. The pages and the API then ask for the password and
    repeat the request.
    """

    def __init__(self, who: str) -> None:
        super().__init__(
            Kind.FORBIDDEN,
            f"{who} must confirm the password first",
            why="Credentials, single sign-on, roles, tokens and people's sign-in may be changed only shortly after "
            "the password was entered",
            next_step="Confirm your password, then repeat the change",
            code="StepUpRequired",
        )


def roles_with(permission: str) -> list[str]:
    """Return the names of the roles that have *permission*."""
    return [ROLE_NAMES[role] for role in Role if permission in TABLE and role in TABLE[Permission(permission)]]


def permissions_of(roles: Iterable[Role]) -> frozenset[Permission]:
    """Return all permissions that at least one of *roles* has."""
    held = frozenset(roles)
    return frozenset(permission for permission, having in TABLE.items() if held & having)
