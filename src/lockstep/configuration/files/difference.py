"""Compare a declared document with the present configuration, and compute the content that its sections will have.

Only sections in the document are compared. Items that are not in the file are shown as `-` and kept unless pruning is requested; changes
inside an item are shown as `~`. The order of roles matters; the order of attributes, filters and assignments does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lockstep.configuration.document.strict_json import Json
from lockstep.configuration.files.change import ConfigChange, Sign
from lockstep.configuration.files.file import ConfigDocument, DocumentKind
from lockstep.configuration.files.sections import assignment_key, role_key

Inner = Callable[["DocumentComparison", str, Json, Json], Json]
# The server does not know the values behind these references. They are compared where the values are known, or not at all.
NOT_COMPARED = frozenset({"template", "secretTokenRef", "passwordRef"})
NEVER_STORED = frozenset({"default"})


@dataclass(frozen=True)
class DocumentDifference:
    """The differences of a document. *changes* are in the order of the file. *spec* contains the sections that differ, with their new
    content.
    """

    changes: tuple[ConfigChange, ...]
    spec: Mapping[str, Any]


def difference(declared: ConfigDocument, current: Mapping[str, Any], *, prune: bool) -> DocumentDifference:
    """Compare *declared* with the *current* spec. If *prune* is true, items that the file does not contain are removed."""
    comparison = DocumentComparison(declared.title, prune)
    spec: Json = {}
    for section, value in declared.spec.items():
        if section in NOT_COMPARED:
            continue
        before = len(comparison.changes)
        compare = _SECTIONS.get((declared.kind, section), _value)
        merged = compare(comparison, section, value, current.get(section))
        if len(comparison.changes) > before:
            spec[section] = merged
    return DocumentDifference(tuple(comparison.changes), spec)


class DocumentComparison:
    """Collects the changes of one document."""

    def __init__(self, document: str, prune: bool) -> None:
        self.document = document
        self.prune = prune
        self.changes: list[ConfigChange] = []

    def add(self, place: str, new: Any) -> None:
        self.changes.append(ConfigChange(Sign.ADD, self.document, place, new=new))

    def change(self, place: str, old: Any, new: Any) -> None:
        self.changes.append(ConfigChange(Sign.CHANGE, self.document, place, old, new))

    def remove(self, place: str, old: Any) -> None:
        self.changes.append(ConfigChange(Sign.REMOVE, self.document, place, old=old, is_kept=not self.prune))

    def fields(self, place: str, declared: Json, current: Json) -> Json:
        """Compare two objects key by key. *declared* is complete: keys that are missing in it are cleared. Returns *declared*."""
        for key in [*declared, *(key for key in current if key not in declared)]:
            if key not in NEVER_STORED and declared.get(key) != current.get(key):
                self.change(f"{place}.{key}", current.get(key), declared.get(key))
        return declared

    def items(
        self,
        place: str,
        declared: Sequence[Json],
        current: Sequence[Json],
        *,
        key: Callable[[Json], Any],
        name: Callable[[Json], str],
        inner: Inner | None = None,
    ) -> list[Json]:
        """Compare two lists whose items are identified by *key*. Returns the resulting list."""
        left = {_numbered(key, current, index): one for index, one in enumerate(current)}
        merged = []
        for index, one in enumerate(declared):
            known = left.pop(_numbered(key, declared, index), None)
            at = f"{place}[{name(one)}]"
            if known is None:
                self.add(at, one)
                merged.append(one)
            else:
                merged.append(inner(self, at, one, known) if inner else self.fields(at, one, known))
        for one in left.values():
            self.remove(f"{place}[{name(one)}]", one)
        return merged if self.prune else [*merged, *left.values()]


def _numbered(key: Callable[[Json], Any], items: Sequence[Json], index: int) -> tuple[Any, int]:
    """Return the key of an item and the number of earlier items with the same key, because names need not be unique."""
    own = key(items[index])
    return own, sum(1 for other in items[:index] if key(other) == own)


def _value(comparison: DocumentComparison, place: str, declared: Any, current: Any) -> Any:
    if isinstance(declared, Mapping):
        return comparison.fields(place, dict(declared), dict(current or {}))
    if declared != current:
        comparison.change(place, current, declared)
    return declared


def _credentials(comparison: DocumentComparison, place: str, declared: Json, current: Json | None) -> Json:
    for key, value in declared.items():
        if key not in NOT_COMPARED and (current or {}).get(key) != value:
            comparison.change(f"{place}.{key}", (current or {}).get(key), value)
    return declared


def _ldap_sign_in(comparison: DocumentComparison, place: str, declared: Json, current: Json | None) -> Json:
    shown = {key: value for key, value in declared.items() if key not in NOT_COMPARED}
    if current is None:
        comparison.add(place, shown)
    else:
        comparison.fields(place, shown, current)
    return declared


def _roles(comparison: DocumentComparison, place: str, declared: list[Json], current: list[Json] | None) -> list[Json]:
    merged = comparison.items(place, declared, current or [], key=role_key, name=_role_name)
    before = [role_key(role) for role in current or []]
    after = [role_key(role) for role in merged]
    common = set(before) & set(after)
    if [key for key in before if key in common] != [key for key in after if key in common]:
        names = [_role_name(role) for role in current or []]
        comparison.change(f"{place}.order", names, [_role_name(role) for role in merged])
    return merged


def _role_name(role: Json) -> str:
    return str(role["value"] or role["displayName"])


def _assignments(
    comparison: DocumentComparison, place: str, declared: list[Json], current: list[Json] | None
) -> list[Json]:
    """Compare assignments. A member whose only assignment has a new role is shown as changed, not as removed and added."""
    wanted, known = _by_principal(declared), _by_principal(current or [])
    moved: set[tuple[str, str, str]] = set()
    for principal, roles in wanted.items():
        old = known.get(principal, [])
        if len(roles) == len(old) == 1 and assignment_key(roles[0]) != assignment_key(old[0]):
            moved |= {assignment_key(roles[0]), assignment_key(old[0])}
            at = f"{place}[{_assigned_name(roles[0])}].role"
            comparison.change(at, old[0].get("role"), roles[0].get("role"))
    merged = comparison.items(
        place,
        [one for one in declared if assignment_key(one) not in moved],
        [one for one in current or [] if assignment_key(one) not in moved],
        key=assignment_key,
        name=_assigned_name,
        inner=lambda _, place, declared, current: current,
    )
    return [*[one for one in declared if assignment_key(one) in moved], *merged]


def _by_principal(assignments: Sequence[Json]) -> dict[tuple[str, str], list[Json]]:
    found: dict[tuple[str, str], list[Json]] = {}
    for one in assignments:
        found.setdefault(assignment_key(one)[:2], []).append(one)
    return found


def _assigned_name(one: Json) -> str:
    return f"group {one['group']}" if "group" in one else f"user {one['user']}"


def _provisioning(comparison: DocumentComparison, place: str, declared: Json, current: Json | None) -> Json:
    found: Json = {}
    known = current or {}
    for key, value in declared.items():
        before = len(comparison.changes)
        if key == "mappings":
            merged: Any = comparison.items(
                f"{place}.mappings",
                value or [],
                known.get("mappings") or [],
                key=lambda one: (one["source"], one["target"]),
                name=lambda one: str(one["name"]),
                inner=_mapping,
            )
        else:
            merged = _value(comparison, f"{place}.{key}", value, known.get(key))
        if len(comparison.changes) > before:
            found[key] = merged
    return found


def _sign_on(comparison: DocumentComparison, place: str, declared: Json, current: Json | None) -> Json:
    known = dict(current or {})
    claims = comparison.items(
        f"{place}.claims",
        declared.get("claims", []),
        known.pop("claims", []),
        key=lambda one: one["name"],
        name=lambda one: str(one["name"]),
    )
    comparison.fields(place, {key: value for key, value in declared.items() if key != "claims"}, known)
    return {**declared, "claims": claims}


def _mapping(comparison: DocumentComparison, place: str, declared: Json, current: Json) -> Json:
    lists = {
        "scopingFilters": ("title", lambda one: one["title"]),
        "attributes": ("target", lambda one: one["target"].lower()),
        "attributeList": ("name", lambda one: one["name"].lower()),
    }
    declared = _as_known(declared, current)
    merged = {key: value for key, value in declared.items() if key not in lists}
    comparison.fields(place, merged, {key: value for key, value in current.items() if key not in lists})
    for section, (title, key) in lists.items():
        items = comparison.items(
            f"{place}.{section}",
            declared.get(section, []),
            current.get(section, []),
            key=key,
            name=lambda one, title=title: str(one[title]),  # type: ignore[misc]
        )
        if items:
            merged[section] = items
    return merged


def _as_known(declared: Json, current: Json) -> Json:
    """Add to *declared* the attribute list and the privileged values of *current*, unless the file itself sets them.

    Otherwise a file that contains only mappings would remove the list of privileged roles, and thereby disable the guard for them.
    """
    privileged = {
        one["target"].lower(): one["privileged"] for one in current.get("attributes", []) if "privileged" in one
    }
    attributes = [
        {**one, "privileged": privileged[one["target"].lower()]}
        if "privileged" not in one and one["target"].lower() in privileged
        else one
        for one in declared.get("attributes", [])
    ]
    known = {"attributeList": current["attributeList"]} if "attributeList" in current else {}
    return {**known, **declared, **({"attributes": attributes} if attributes else {})}


_SECTIONS: Mapping[tuple[DocumentKind, str], Callable[[DocumentComparison, str, Any, Any], Any]] = {
    (DocumentKind.TENANT, "ldapSignIn"): _ldap_sign_in,
    (DocumentKind.APPLICATION, "credentials"): _credentials,
    (DocumentKind.APPLICATION, "roles"): _roles,
    (DocumentKind.APPLICATION, "assignments"): _assignments,
    (DocumentKind.APPLICATION, "singleSignOn"): _sign_on,
    (DocumentKind.APPLICATION, "provisioning"): _provisioning,
}
