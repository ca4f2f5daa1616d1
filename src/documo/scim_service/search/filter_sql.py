"""Compile a filter to SQL over `resources r` and `resource_search s`, with the same meaning as `lockstep.scim.filter_match`.

A filter that cannot be compiled is refused with invalidFilter; nothing is ever filtered in Python. A comparison with an absent attribute is
false in Python, but null in SQL. Every condition that could be null is therefore wrapped in coalesce, so that `not` means the same in SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from psycopg.sql import SQL, Composable, Literal

from documo.identifiers import read_id
from documo.scim_service.search.conditions import (
    FALSE,
    TRUE,
    column_condition,
    element_condition,
    element_leaf,
    exists,
    folded,
    id_condition,
    is_set,
    leaf_of,
    meta_condition,
    place_of,
    scalar_condition,
    text_condition,
)
from documo.scim_service.search.containment import necessary_content
from documo.tenant_schemas import unique_attribute
from lockstep.scim.comparisons import operand
from lockstep.scim.errors import invalid_filter
from lockstep.scim.filters import And, Comparison, Filter, FilterValue, Not, Or, Present, ValuePath
from lockstep.scim.names import AttributePath
from lockstep.scim.registry import PathTarget, ResourceDefinition
from lockstep.scim.schema import Attribute


@dataclass(frozen=True, slots=True)
class CompiledFilter:
    """A condition for WHERE. *contains* is a fragment that the search document of every match contains, for use with the index of
    values.
    """

    condition: Composable
    contains: Mapping[str, Any] | None = None


class FilterCompiler:
    """Compiles filters for one resource type of one tenant."""

    def __init__(
        self, tenant_id: int, definition: ResourceDefinition, *, lenient: bool, undefined_is_absent: bool = False
    ) -> None:
        self._tenant = Literal(tenant_id)
        self._definition = definition
        self._lenient = lenient
        self._undefined_is_absent = undefined_is_absent
        self._unique = unique_attribute(definition)

    def compile(self, filter: Filter) -> CompiledFilter:
        """Return the SQL condition of *filter*. Raises ScimError("invalidFilter")."""
        return CompiledFilter(
            self._condition(filter), necessary_content(filter, self._definition, lenient=self._lenient)
        )

    def _condition(self, filter: Filter) -> Composable:
        match filter:
            case Comparison(path):
                target = self._target(path)
                return self._comparison(filter, target) if target else FALSE
            case Present(path):
                target = self._target(path)
                return self._present(target) if target else FALSE
            case And(terms):
                return SQL("({})").format(SQL(" and ").join(self._condition(term) for term in terms))
            case Or(terms):
                return SQL("({})").format(SQL(" or ").join(self._condition(term) for term in terms))
            case Not(term):
                return SQL("(not {})").format(self._condition(term))
            case ValuePath(path):
                target = self._target(path)
                return self._value_path(filter, target) if target else FALSE
            case _:
                assert_never(filter)

    def _target(self, path: AttributePath) -> PathTarget | None:
        target = self._definition.find(path)
        if target is None or target.attribute is None:
            if self._undefined_is_absent:
                return None
            raise invalid_filter(f"{str(path)[:200]} is not an attribute of {self._definition.type.name}.")
        leaf = target.leaf
        if leaf is not None and leaf.returned == "never":
            raise invalid_filter(f"{target} is never returned, so it cannot be searched.")
        return target

    def _comparison(self, comparison: Comparison, target: PathTarget) -> Composable:
        attribute, sub = leaf_of(target, comparison)
        special = self._special(comparison, target, attribute, sub)
        if special is not None:
            return special
        leaf = sub or attribute
        value = operand(comparison, leaf, lenient=self._lenient)
        if attribute.multi_valued:
            return self._many_values(comparison.op, value, target, sub, leaf)
        place = place_of(target) if sub is None else SQL("{}->{}").format(place_of(target), Literal(sub.name))
        return scalar_condition(place, leaf, comparison.op, value)

    def _many_values(
        self, op: str, value: FilterValue, target: PathTarget, sub: Attribute | None, leaf: Attribute
    ) -> Composable:
        """Return a condition that is true if any of the values matches. `ne` and `eq null` are also true if there is no value."""
        item = SQL("e.item") if sub is None else SQL("e.item->{}").format(Literal(sub.name))
        has_value = exists(place_of(target), SQL("{} is not null").format(item))
        if value is None:
            return has_value if op == "ne" else SQL("(not {})").format(has_value)
        matching = element_condition(SQL("e.item"), sub, leaf, op, value)
        some = exists(place_of(target), SQL("{} is not null and {}").format(item, matching))
        return SQL("({} or not {})").format(some, has_value) if op == "ne" else some

    def _special(
        self, comparison: Comparison, target: PathTarget, attribute: Attribute, sub: Attribute | None
    ) -> Composable | None:
        """Return the condition on an attribute that is stored in a separate column or in rows, or None for other attributes."""
        if target.urn:
            return None
        leaf = sub or attribute
        value = operand(comparison, leaf, lenient=self._lenient)
        name = attribute.name
        if name == "id":
            return id_condition(comparison.op, value)
        if name == "meta":
            return meta_condition(comparison, sub, value, self._definition)
        if name == "schemas":
            return exists(
                SQL("r.document->'schemas'"), element_condition(SQL("e.item"), None, leaf, comparison.op, value)
            )
        if name == "active" and attribute.type == "boolean":
            # A member whose `active` was removed stays as active as before, and filters must see that.
            return scalar_condition(SQL("to_jsonb(r.active)"), leaf, comparison.op, value)
        if name in ("members", "groups") and sub is not None:
            return self._membership(name, sub, comparison.op, value)
        if name == "externalId":
            return column_condition(SQL("r.external_id"), comparison.op, value)
        if self._unique is not None and name == self._unique.name:
            return column_condition(SQL("r.unique_name"), comparison.op, value and folded(value, leaf))
        if name == "displayName" and attribute.type == "string":
            return column_condition(SQL("r.display_name"), comparison.op, value and folded(value, leaf))
        return None

    def _membership(self, name: str, sub: Attribute, op: str, value: FilterValue) -> Composable:
        mine, other = ("group_id", "member_id") if name == "members" else ("member_id", "group_id")
        columns = {"mine": SQL(f"m.{mine}"), "other": SQL(f"m.{other}"), "tenant": self._tenant}
        if sub.name == "value" and op == "eq" and isinstance(value, str):
            found = read_id(value)
            if found is None:
                return FALSE
            inner = SQL("select {mine} from group_members m where m.tenant_id = {tenant} and {other} = {id}")
            # An array is computed once, before the scan; the planner might run a semi-join in the other direction.
            return SQL("r.id = any(array({}))").format(inner.format(id=Literal(found), **columns))
        if sub.name not in ("value", "display", "type"):
            raise invalid_filter(f"{name}.{sub.name} cannot be searched: search {name}.value.")
        text: Composable = {
            "value": SQL("o.id::text"),
            "display": SQL("coalesce(o.display_name, o.unique_name)"),
            "type": SQL("lower(m.member_kind)") if name == "members" else SQL("'direct'"),
        }[sub.name]
        query = SQL(
            "exists (select 1 from group_members m join resources o on o.tenant_id = {tenant} and o.id = {other}"
            " where m.tenant_id = {tenant} and {mine} = r.id and {condition})"
        )
        has_any = query.format(condition=TRUE, **columns)
        if value is None:
            return has_any if op == "ne" else SQL("(not {})").format(has_any)
        some = query.format(condition=text_condition(text, op, str(value).casefold()), **columns)
        return SQL("({} or not {})").format(some, has_any) if op == "ne" else some

    def _present(self, target: PathTarget) -> Composable:
        attribute, sub = target.attribute, target.sub
        if attribute is None:
            return FALSE
        if not target.urn and attribute.name in ("id", "meta", "schemas"):
            return TRUE
        if not target.urn and attribute.name in ("members", "groups"):
            mine = SQL("m.group_id") if attribute.name == "members" else SQL("m.member_id")
            query = SQL("exists (select 1 from group_members m where m.tenant_id = {} and {} = r.id)")
            return query.format(self._tenant, mine)
        place = SQL("r.document->'active'") if attribute.name == "active" and not target.urn else place_of(target)
        if attribute.multi_valued:
            return exists(place, is_set(SQL("e.item") if sub is None else SQL("e.item->{}").format(Literal(sub.name))))
        return is_set(place if sub is None else SQL("{}->{}").format(place, Literal(sub.name)))

    def _value_path(self, filter: ValuePath, target: PathTarget) -> Composable:
        attribute = target.attribute
        if attribute is None or target.sub is not None or not (attribute.is_complex or attribute.multi_valued):
            raise invalid_filter(f"{filter.path} has no sub-attributes, so a filter in brackets cannot follow it.")
        if not target.urn and attribute.name in ("members", "groups", "meta"):
            return self._special_value_path(filter, attribute)
        inner = self._element(filter.filter, attribute)
        if filter.then is not None:
            inner = SQL("({} and {})").format(inner, self._element(filter.then, attribute))
        if attribute.multi_valued:
            return exists(place_of(target), inner)
        return SQL("exists (select 1 from (select {} as item) e where e.item is not null and {})").format(
            place_of(target), inner
        )

    def _special_value_path(self, filter: ValuePath, attribute: Attribute) -> Composable:
        comparison = filter.filter
        if not isinstance(comparison, Comparison) or filter.then is not None or attribute.name == "meta":
            raise invalid_filter(f'{attribute.name} can be searched by one value only: {attribute.name}[value eq "x"].')
        path = AttributePath(attribute.name, comparison.path.name)
        return self._condition(Comparison(path, comparison.op, comparison.value))

    def _element(self, filter: Filter, attribute: Attribute) -> Composable:
        match filter:
            case Comparison(path):
                sub, leaf = element_leaf(path, attribute)
                value = operand(filter, leaf, lenient=self._lenient)
                return element_condition(SQL("e.item"), sub, leaf, filter.op, value)
            case Present(path):
                sub, _ = element_leaf(path, attribute)
                return is_set(SQL("e.item") if sub is None else SQL("e.item->{}").format(Literal(sub.name)))
            case And(terms):
                return SQL("({})").format(SQL(" and ").join(self._element(term, attribute) for term in terms))
            case Or(terms):
                return SQL("({})").format(SQL(" or ").join(self._element(term, attribute) for term in terms))
            case Not(term):
                return SQL("(not {})").format(self._element(term, attribute))
            case ValuePath(path):
                raise invalid_filter(f"{path} is already inside brackets, so brackets cannot follow it.")
            case _:
                assert_never(filter)
