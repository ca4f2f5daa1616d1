"""The statements of an assertion about a person: the Name ID and the claims, with the same role that provisioning sends.

A claim whose value is empty is not sent. A person whose Name ID is empty cannot sign in, because the application would have to guess who
the person is.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lockstep.configuration.single_sign_on import NameIdKind, SignOnMode, SignOnSettings
from lockstep.engine.decisions.source_record import OF_MANAGER, source_record
from lockstep.engine.expressions import DROP, SKIP_OBJECT, EvaluationContext, ExpressionError
from lockstep.engine.moment import Moment
from lockstep.engine.records import Lifecycle, SourceObject
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.mappings import MappingSource, value_of
from lockstep.engine.rules.operators import is_empty, text_of
from lockstep.errors import Kind, LockstepError

# Characters that XML, and so an assertion, cannot contain (XML 1.0, section 2.2).
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class AssertionClaims:
    """The statements of an assertion about one person. *role* is the value of the effective application role; "" if the person has no
    role.
    """

    name_id: str
    name_id_format: NameIdKind
    attributes: Mapping[str, Sequence[str]]
    is_assigned: bool
    role: str
    groups: Sequence[str] = ()  # the names of the groups through which the application is assigned, sorted
    display: str = ""
    is_active: bool = True
    problems: Mapping[str, str] = field(default_factory=dict)  # by claim: the reason why it has no value


def manager_names(settings: SignOnSettings) -> frozenset[str]:
    """Return those attributes of a person's manager that *settings* read."""
    return frozenset(name.removeprefix(OF_MANAGER) for name in settings.attributes() if name.startswith(OF_MANAGER))


def claims_about(
    obj: SourceObject, settings: SignOnSettings, configuration: JobConfiguration, *, moment: Moment, salt: bytes
) -> AssertionClaims:
    """Return the claims of *obj*. If a claim cannot be evaluated, `problems` says why; the entry for the Name ID has the key ""."""
    record = source_record(obj, configuration, is_soft_deleted=False)
    context = EvaluationContext(moment, (), configuration.default_domain)
    problems: dict[str, str] = {}

    def values(name: str, source: MappingSource) -> tuple[str, ...]:
        try:
            found = _texts(value_of(source, record, context))
        except ExpressionError as error:
            problems[name] = error.detail
            return ()
        if refused := next((one for text in found for one in _NOT_IN_XML.findall(text)), ""):
            problems[name] = f"it contains the character U+{ord(refused):04X}, which XML cannot contain"
            return ()
        return found

    name_id = _name_id(obj.id, settings, values, salt)
    attributes = {claim.name: found for claim in settings.sent_claims if (found := values(claim.name, claim.source))}
    if not name_id and "" not in problems:
        problems[""] = "The Name ID is empty"
    roles = record["appRoleAssignments"]
    return AssertionClaims(
        name_id,
        NameIdKind.PERSISTENT if settings.mode is SignOnMode.OIDC else settings.name_id_format,
        attributes,
        is_assigned=bool(obj.assignments),
        role=str(roles[0]["value"]) if roles else "",
        groups=sorted({one.via_group_name for one in obj.assignments if one.via_group_name}),
        display=obj.display,
        is_active=obj.account_enabled and obj.lifecycle is Lifecycle.ACTIVE,
        problems=problems,
    )


def require_usable(claims: AssertionClaims, app: str) -> None:
    """Raise LockstepError unless *claims* are complete enough for an assertion."""
    if not claims.is_active:
        raise LockstepError(
            Kind.FORBIDDEN,
            f"{claims.display} cannot sign in",
            why="The person is disabled or deleted in the directory",
            code="PersonNotActive",
        )
    for name, problem in claims.problems.items():
        what = f'the claim "{name}"' if name else "the Name ID"
        raise LockstepError(
            Kind.CONFLICT,
            f"{claims.display} cannot sign in to {app}",
            why=f"{what[0].upper()}{what[1:]} has no usable value: {problem}",
            next_step=f"Correct the value or its expression, then check it: lockstep sso test {app} --user {claims.display}",
            code="ClaimsUnusable",
        )


def _name_id(person: str, settings: SignOnSettings, values: Any, salt: bytes) -> str:
    match NameIdKind.PERSISTENT if settings.mode is SignOnMode.OIDC else settings.name_id_format:
        case NameIdKind.PERSISTENT:
            return hashlib.sha256(salt + person.encode()).hexdigest()
        case NameIdKind.TRANSIENT:
            return f"_{secrets.token_hex(20)}"
        case _:
            found = values("", settings.name_id)
            return found[0] if len(found) == 1 else ""


def _texts(value: Any) -> tuple[str, ...]:
    if value is DROP or value is SKIP_OBJECT or is_empty(value):
        return ()
    several = value if isinstance(value, tuple | list) else (value,)
    return tuple(dict.fromkeys(text_of(one) for one in several if not is_empty(one)))
