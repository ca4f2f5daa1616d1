"""The sort order of a list, and the position where a page begins.

The order is always total: ties are broken by id, which increases with time. Missing values come last in ascending and first in descending
order (RFC 7644, section 3.4.2.3). PostgreSQL has the same default, so an index on a column serves both directions.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg.sql import SQL, Composable, Literal

from documo.scim_service.search.cursors import Position
from documo.tenant_schemas import unique_attribute
from lockstep.scim.errors import invalid_value
from lockstep.scim.names import parse_name
from lockstep.scim.registry import PathTarget, ResourceDefinition


@dataclass(frozen=True, slots=True)
class SortOrder:
    """A sort order. *key* is the expression to sort by, or None to sort by the id alone. *cast* is the type of its values."""

    key: Composable | None = None
    cast: str = "text"
    descending: bool = False

    def clause(self, *, backwards: bool = False) -> Composable:
        """Return the ORDER BY clause. *backwards* reverses it, for the page before a cursor."""
        descending = self.descending != backwards
        by_id = SQL("r.id desc" if descending else "r.id")
        if self.key is None:
            return by_id
        return SQL("{} {}, {}").format(self.key, SQL("desc nulls first" if descending else "asc nulls last"), by_id)

    def after(self, position: Position) -> Composable:
        """Return the condition that selects the resources after *position*, or those before it if *position* leads to the previous page."""
        forwards = self._goes_forwards(position)
        sign = SQL(">" if forwards else "<")
        beyond_id = SQL("r.id {} {}::uuid").format(sign, Literal(position.id))
        if self.key is None:
            return beyond_id
        if position.sort_value is None:
            rest = SQL("false") if forwards else SQL("{} is not null").format(self.key)
            return SQL("(({} is null and {}) or {})").format(self.key, beyond_id, rest)
        value = SQL("{}::{}").format(Literal(position.sort_value), SQL(self.cast))
        nulls = SQL("{} is null").format(self.key) if forwards else SQL("false")
        return SQL("({key} {sign} {value} or ({key} = {value} and {beyond}) or {nulls})").format(
            key=self.key, sign=sign, value=value, beyond=beyond_id, nulls=nulls
        )

    def after_bound(self, position: Position) -> tuple[Composable, dict[str, str]] | None:
        """Return the condition of `after` with placeholders, and the values of the placeholders. The text of the statement is then the same
        for every position.

        Returns None if there is a sort *key*.
        """
        if self.key is not None:
            return None
        return SQL("r.id > %(after)s::uuid" if self._goes_forwards(position) else "r.id < %(after)s::uuid"), {
            "after": position.id
        }

    def _goes_forwards(self, position: Position) -> bool:
        return self.descending == (position.direction == "previous")

    def value_text(self) -> Composable:
        """Return the sort value of a row as text, for its cursor."""
        return SQL("null::text") if self.key is None else SQL("({})::text").format(self.key)


def order_of(sort_by: str | None, definitions: list[ResourceDefinition], *, descending: bool) -> SortOrder:
    """Return the order that a request specifies. Without *sort_by*, the order is always ascending by id. Raises ScimError for an
    attribute that cannot be used for sorting.
    """
    if not sort_by:
        return SortOrder(descending=False)
    found = [(definition, _sort_key(sort_by, definition)) for definition in definitions]
    known = [(definition, key) for definition, key in found if key is not None]
    if not known:
        raise invalid_value(f"sortBy {sort_by[:100]!r} is not an attribute that can be sorted by.", "sortBy")
    if known[0][1] == (None, "uuid"):
        return SortOrder(descending=descending)
    casts = {cast for _, (_, cast) in known}
    if len(definitions) == 1:
        key, cast = known[0][1]
        return SortOrder(key, cast, descending)
    if len(casts) > 1:
        raise invalid_value(f"sortBy {sort_by[:100]!r} has different types in different resource types.", "sortBy")
    whens = SQL(" ").join(
        SQL("when {} then {}").format(Literal(definition.type.name), key)
        for definition, (key, _) in known
        if key is not None
    )
    return SortOrder(SQL("(case r.kind {} end)").format(whens), casts.pop(), descending)


def _sort_key(sort_by: str, definition: ResourceDefinition) -> tuple[Composable | None, str] | None:
    target = definition.find(parse_name(sort_by, lambda detail: invalid_value(f"sortBy: {detail}", "sortBy")))
    if target is None or target.attribute is None or target.leaf is None or target.leaf.returned == "never":
        return None
    name, unique = target.attribute.name, unique_attribute(definition)
    if not target.urn:
        if name == "id":
            return None, "uuid"
        if name == "meta":
            columns = {"created": "r.created_at", "lastModified": "r.last_modified"}
            column = columns.get(target.sub.name) if target.sub else None
            return (SQL(column), "timestamptz") if column else None
        if name in ("members", "groups", "schemas"):
            return None
        if name == "externalId":
            return SQL("r.external_id"), "text"
        if unique is not None and name == unique.name:
            return SQL("r.unique_name"), "text"
        if name == "displayName":
            return SQL("r.display_name"), "text"
        if name == "active":
            return SQL("r.active::text"), "text"
    return _document_key(target)


def _document_key(target: PathTarget) -> tuple[Composable | None, str] | None:
    attribute = target.attribute
    if attribute is None:
        return None
    sub = target.sub or attribute.sub("value")
    if attribute.is_complex and sub is None:
        return None
    steps = [part for part in (target.urn, attribute.name) if part]
    place = SQL("s.document") + SQL("").join(SQL("->{}").format(Literal(step)) for step in steps)
    leaf = sub or attribute
    if attribute.multi_valued:
        # Sort by the primary value, or else by the first (RFC 7644, section 3.4.2.3).
        name = Literal(sub.name) if sub else None
        pick = SQL("->>{}").format(name) if name else SQL("#>>'{}'")
        text = SQL(
            "coalesce((select e.item{pick} from jsonb_array_elements({place}) as e(item) where e.item->'primary' = 'true' limit 1),"
            " {place}->0{pick})"
        ).format(pick=pick, place=place)
    else:
        text = SQL("({}->{}#>>'{{}}')").format(place, Literal(sub.name)) if sub else SQL("({}#>>'{{}}')").format(place)
    if leaf.type in ("integer", "decimal"):
        return SQL("({})::numeric").format(text), "numeric"
    return SQL('({} collate "C")').format(text), "text"
