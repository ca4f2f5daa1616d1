"""Compile a filter to SQL over `resources r` and `resource_search s`, with the meaning of `lockstep.scim.filter_match`.

What cannot be compiled is refused with invalidFilter; nothing is ever filtered in Python. A comparison on an attribute without a value
is false, not unknown, so that `not` means the same here as there: every condition is wrapped in coalesce where it could be null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from psycopg.sql import SQL, Composable, Literal
from psycopg.types.json import Jsonb

from documo.identifiers import read_id
from documo.scim_service.derive import unique_attribute
from documo.search_document import fold_text
from lockstep.scim.comparisons import operand
from lockstep.scim.errors import invalid_filter
from lockstep.scim.filters import And, Comparison, Filter, Not, Or, Present, Value, ValuePath
from lockstep.scim.names import AttributePath
from lockstep.scim.registry import ResourceDefinition, Target
from lockstep.scim.schema import Attribute

TRUE, FALSE = SQL("true"), SQL("false")
_ORDER = {"gt": SQL(">"), "ge": SQL(">="), "lt": SQL("<"), "le": SQL("<=")}
_META_COLUMNS = {"created": SQL("r.created_at"), "lastModified": SQL("r.last_modified")}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A condition for WHERE. *contains* is what the search document must hold whatever else is true, for the index of values."""

    condition: Composable
    contains: Mapping[str, Any] | None = None


class FilterCompiler:
    """Compiles for one resource type of one tenant."""

    def __init__(
        self, tenant_id: int, definition: ResourceDefinition, *, lenient: bool, undefined_is_absent: bool = False
    ) -> None:
        self._tenant = Literal(tenant_id)
        self._definition = definition
        self._lenient = lenient
        self._undefined_is_absent = undefined_is_absent
        self._unique = unique_attribute(definition)

    def compile(self, filter: Filter) -> Compiled:
        """The condition. Raises ScimError("invalidFilter")."""
        return Compiled(self._condition(filter), self._necessary(filter))

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

    def _target(self, path: AttributePath) -> Target | None:
        target = self._definition.find(path)
        if target is None or target.attribute is None:
            if self._undefined_is_absent:
                return None
            raise invalid_filter(f"{str(path)[:200]} is not an attribute of {self._definition.type.name}.")
        leaf = target.leaf
        if leaf is not None and leaf.returned == "never":
            raise invalid_filter(f"{target} is never returned, so it cannot be searched.")
        return target

    def _comparison(self, comparison: Comparison, target: Target) -> Composable:
        attribute, sub = _leaf(target, comparison)
        special = self._special(comparison, target, attribute, sub)
        if special is not None:
            return special
        leaf = sub or attribute
        value = operand(comparison, leaf, lenient=self._lenient)
        if attribute.multi_valued:
            return self._many_values(comparison.op, value, target, sub, leaf)
        place = _at(target) if sub is None else SQL("{}->{}").format(_at(target), Literal(sub.name))
        return _scalar_condition(place, leaf, comparison.op, value)

    def _many_values(self, op: str, value: Value, target: Target, sub: Attribute | None, leaf: Attribute) -> Composable:
        """True when any of the values matches; `ne` and `eq null` also hold where there is no value."""
        item = SQL("e.item") if sub is None else SQL("e.item->{}").format(Literal(sub.name))
        has_value = _exists(_at(target), SQL("{} is not null").format(item))
        if value is None:
            return has_value if op == "ne" else SQL("(not {})").format(has_value)
        some = _exists(_at(target), _element_condition(SQL("e.item"), sub, leaf, op, value))
        return SQL("({} or not {})").format(some, has_value) if op == "ne" else some

    def _special(
        self, comparison: Comparison, target: Target, attribute: Attribute, sub: Attribute | None
    ) -> Composable | None:
        """Conditions on what has a column or rows of its own; None for all else."""
        if target.urn:
            return None
        leaf = sub or attribute
        value = operand(comparison, leaf, lenient=self._lenient)
        name = attribute.name
        if name == "id":
            return _id_condition(comparison.op, value)
        if name == "meta":
            return _meta_condition(comparison, sub, value, self._definition)
        if name == "schemas":
            return _exists(
                SQL("r.document->'schemas'"), _element_condition(SQL("e.item"), None, leaf, comparison.op, value)
            )
        if name == "active" and attribute.type == "boolean":
            return _scalar_condition(SQL("r.document->'active'"), leaf, comparison.op, value)
        if name in ("members", "groups") and sub is not None:
            return self._membership(name, sub, comparison.op, value)
        if name == "externalId":
            return _column_condition(SQL("r.external_id"), comparison.op, value)
        if self._unique is not None and name == self._unique.name:
            return _column_condition(SQL("r.unique_name"), comparison.op, _folded(value, leaf))
        if name == "displayName" and attribute.type == "string":
            return _column_condition(SQL("r.display_name"), comparison.op, _folded(value, leaf))
        return None

    def _membership(self, name: str, sub: Attribute, op: str, value: Value) -> Composable:
        mine, other = ("group_id", "member_id") if name == "members" else ("member_id", "group_id")
        columns = {"mine": SQL(f"m.{mine}"), "other": SQL(f"m.{other}"), "tenant": self._tenant}
        if sub.name == "value" and op == "eq" and isinstance(value, str):
            found = read_id(value)
            if found is None:
                return FALSE
            inner = SQL("select {mine} from group_members m where m.tenant_id = {tenant} and {other} = {id}")
            # An array is computed once, before the rows are looked at; a semi-join might be planned the other way round.
            return SQL("r.id = any(array({}))").format(inner.format(id=Literal(found), **columns))
        if sub.name not in ("value", "display", "type"):
            raise invalid_filter(f"{name}.{sub.name} cannot be searched: search {name}.value.")
        text = {
            "value": SQL("o.id::text"),
            "display": SQL("lower(coalesce(o.document->>'displayName', o.document->>'userName'))"),
            "type": SQL("lower(m.member_kind)") if name == "members" else SQL("'direct'"),
        }[sub.name]
        if value is None:
            exists, condition = (op == "ne"), TRUE
        else:
            exists, condition = True, _text_condition(text, op, str(value).casefold())
        query = SQL(
            "exists (select 1 from group_members m join resources o on o.tenant_id = {tenant} and o.id = {other}"
            " where m.tenant_id = {tenant} and {mine} = r.id and {condition})"
        ).format(condition=condition, **columns)
        return query if exists else SQL("(not {})").format(query)

    def _present(self, target: Target) -> Composable:
        attribute, sub = target.attribute, target.sub
        if attribute is None:
            return FALSE
        if not target.urn and attribute.name in ("id", "meta", "schemas"):
            return TRUE
        if not target.urn and attribute.name in ("members", "groups"):
            mine = SQL("m.group_id") if attribute.name == "members" else SQL("m.member_id")
            query = SQL("exists (select 1 from group_members m where m.tenant_id = {} and {} = r.id)")
            return query.format(self._tenant, mine)
        place = SQL("r.document->'active'") if attribute.name == "active" and not target.urn else _at(target)
        if attribute.multi_valued:
            return _exists(
                place, _is_set(SQL("e.item") if sub is None else SQL("e.item->{}").format(Literal(sub.name)))
            )
        return _is_set(place if sub is None else SQL("{}->{}").format(place, Literal(sub.name)))

    def _value_path(self, filter: ValuePath, target: Target) -> Composable:
        attribute = target.attribute
        if attribute is None or target.sub is not None or not (attribute.is_complex or attribute.multi_valued):
            raise invalid_filter(f"{filter.path} has no sub-attributes, so it cannot be followed by brackets.")
        if not target.urn and attribute.name in ("members", "groups", "meta"):
            return self._special_value_path(filter, attribute)
        inner = self._element(filter.filter, attribute)
        if filter.then is not None:
            inner = SQL("({} and {})").format(inner, self._element(filter.then, attribute))
        if attribute.multi_valued:
            return _exists(_at(target), inner)
        return SQL("exists (select 1 from (select {} as item) e where e.item is not null and {})").format(
            _at(target), inner
        )

    def _special_value_path(self, filter: ValuePath, attribute: Attribute) -> Composable:
        comparison = filter.filter
        if not isinstance(comparison, Comparison) or filter.then is not None or attribute.name == "meta":
            raise invalid_filter(f'{attribute.name} is searched by one value: {attribute.name}[value eq "..."].')
        path = AttributePath(attribute.name, comparison.path.name)
        return self._condition(Comparison(path, comparison.op, comparison.value))

    def _element(self, filter: Filter, attribute: Attribute) -> Composable:
        match filter:
            case Comparison(path):
                sub, leaf = _element_leaf(path, attribute)
                value = operand(filter, leaf, lenient=self._lenient)
                return _element_condition(SQL("e.item"), sub, leaf, filter.op, value)
            case Present(path):
                sub, _ = _element_leaf(path, attribute)
                return _is_set(SQL("e.item") if sub is None else SQL("e.item->{}").format(Literal(sub.name)))
            case And(terms):
                return SQL("({})").format(SQL(" and ").join(self._element(term, attribute) for term in terms))
            case Or(terms):
                return SQL("({})").format(SQL(" or ").join(self._element(term, attribute) for term in terms))
            case Not(term):
                return SQL("(not {})").format(self._element(term, attribute))
            case ValuePath(path):
                raise invalid_filter(f"{path} inside brackets cannot have brackets of its own.")
            case _:
                assert_never(filter)

    def _necessary(self, filter: Filter) -> dict[str, Any] | None:
        """What a matching search document must contain, from one positive `eq`; None when nothing is certain."""
        match filter:
            case Comparison(path, "eq", value) if value is not None:
                target = self._definition.find(path)
                return self._containment(target, filter) if target else None
            case And(terms):
                return next((found for term in terms if (found := self._necessary(term))), None)
            case ValuePath(path, inner):
                target = self._definition.find(path)
                attribute = target.attribute if target else None
                if (
                    target is None
                    or attribute is None
                    or not attribute.multi_valued
                    or attribute.name in ("members", "groups")
                ):
                    return None
                element = _element_containment(inner, attribute, lenient=self._lenient)
                return _nested(target, [element]) if element else None
            case _:
                return None

    def _containment(self, target: Target, comparison: Comparison) -> dict[str, Any] | None:
        attribute = target.attribute
        if attribute is None or (not target.urn and attribute.name in _NOT_IN_SEARCH):
            return None
        _, sub = _leaf(target, comparison)
        leaf = sub or attribute
        value = operand(comparison, leaf, lenient=self._lenient)
        if not isinstance(value, str):
            return None
        held: Any = _folded(value, leaf)
        held = {sub.name: held} if sub is not None else held
        return _nested(target, [held] if attribute.multi_valued else held)


_NOT_IN_SEARCH = frozenset(
    ("schemas", "id", "meta", "active", "groups", "members", "password", "externalId", "userName", "displayName")
)


def _element_containment(filter: Filter, attribute: Attribute, *, lenient: bool) -> dict[str, Any] | None:
    terms = filter.terms if isinstance(filter, And) else (filter,)
    held: dict[str, Any] = {}
    for term in terms:
        if isinstance(term, Comparison) and term.op == "eq" and term.value is not None and attribute.is_complex:
            sub, leaf = _element_leaf(term.path, attribute)
            value = operand(term, leaf, lenient=lenient)
            if sub is not None and isinstance(value, str):
                held[sub.name] = _folded(value, leaf)
    return held or None


def _nested(target: Target, held: Any) -> dict[str, Any]:
    name = target.attribute.name if target.attribute else ""
    return {target.urn: {name: held}} if target.urn else {name: held}


def _leaf(target: Target, comparison: Comparison) -> tuple[Attribute, Attribute | None]:
    attribute = target.attribute
    if attribute is None:
        raise invalid_filter(f"{comparison.path} is a schema, not an attribute.")
    if target.sub is not None or not attribute.is_complex:
        return attribute, target.sub
    value = attribute.sub("value")
    if value is None:
        raise invalid_filter(
            f"{comparison.path} has sub-attributes: name the one to compare, as in {comparison.path}.x."
        )
    return attribute, value


def _element_leaf(path: AttributePath, attribute: Attribute) -> tuple[Attribute | None, Attribute]:
    if path.sub or path.schema:
        raise invalid_filter(f"{path} inside brackets must be a sub-attribute of {attribute.name}.")
    if not attribute.is_complex:
        if path.name.lower() != "value":
            raise invalid_filter(f"{attribute.name} has no sub-attribute {path.name!r}.")
        return None, attribute
    sub = attribute.sub(path.name)
    if sub is None:
        raise invalid_filter(f"{attribute.name} has no sub-attribute {path.name!r}.")
    return sub, sub


def _at(target: Target) -> Composable:
    """The attribute in the search document."""
    name = Literal(target.attribute.name if target.attribute else "")
    return (
        SQL("s.document->{}->{}").format(Literal(target.urn), name)
        if target.urn
        else SQL("s.document->{}").format(name)
    )


def _exists(array: Composable, condition: Composable) -> Composable:
    return SQL(
        "exists (select 1 from jsonb_array_elements(case jsonb_typeof({array}) when 'array' then {array} else '[]' end)"
        " as e(item) where {condition})"
    ).format(array=array, condition=condition)


def _is_set(place: Composable) -> Composable:
    return SQL("coalesce({place} not in ('null', '\"\"', '[]', '{{}}'), false)").format(place=place)


def _element_condition(
    element: Composable, sub: Attribute | None, leaf: Attribute, op: str, value: Value
) -> Composable:
    place = SQL("{}->{}").format(element, Literal(sub.name)) if sub is not None else element
    if leaf.multi_valued and sub is not None:
        raise invalid_filter(f"{sub.name} has several values in each element and cannot be compared.")
    return _scalar_condition(place, leaf, op, value)


def _scalar_condition(place: Composable, leaf: Attribute, op: str, value: Value) -> Composable:
    """A comparison of the jsonb value at *place*; `ne` and `eq null` hold where there is none."""
    if value is None:
        return SQL("({} is null)" if op == "eq" else "({} is not null)").format(place)
    if leaf.type in ("boolean", "integer", "decimal"):
        return _json_condition(place, op, Jsonb(value))
    text = SQL("({} #>> '{{}}')").format(place)
    return _text_condition(text, op, _folded(value, leaf))


def _json_condition(place: Composable, op: str, value: Jsonb) -> Composable:
    literal = Literal(value)
    if op == "ne":
        return SQL("({} is distinct from {})").format(place, literal)
    sign = _ORDER.get(op, SQL("="))
    return SQL("coalesce(jsonb_typeof({place}) = jsonb_typeof({value}) and {place} {sign} {value}, false)").format(
        place=place, value=literal, sign=sign
    )


def _text_condition(text: Composable, op: str, value: str) -> Composable:
    literal = Literal(value)
    text = SQL('{} collate "C"').format(text)
    match op:
        case "eq":
            return SQL("coalesce({} = {}, false)").format(text, literal)
        case "ne":
            return SQL("({} is distinct from {})").format(text, literal)
        case "co":
            return SQL("coalesce(strpos({}, {}) > 0, false)").format(text, literal)
        case "sw":
            return SQL("coalesce(starts_with({}, {}), false)").format(text, literal)
        case "ew":
            return (
                SQL("coalesce(right({}, {}) = {}, false)").format(text, Literal(len(value)), literal)
                if value
                else SQL("({} is not null)").format(text)
            )
        case _:
            return SQL("coalesce({} {} {}, false)").format(text, _ORDER[op], literal)


def _column_condition(column: Composable, op: str, value: Value) -> Composable:
    """A comparison with an indexed text column, written so that the index serves it behind row-level security."""
    if value is None:
        return SQL("({} is null)" if op == "eq" else "({} is not null)").format(column)
    text, literal = str(value), Literal(str(value))
    if op == "eq":
        return SQL("({column} = {value} and {column} is not null)").format(column=column, value=literal)
    if op == "sw" and text:
        # A range, not LIKE: LIKE is not leakproof, so it could not use the index.
        after = _after_prefix(text)
        upper = SQL(" and {} < {}").format(column, Literal(after)) if after else SQL("")
        return SQL("({column} is not null and {column} >= {value}{upper})").format(
            column=column, value=literal, upper=upper
        )
    return _text_condition(column, op, text)


def _after_prefix(prefix: str) -> str | None:
    """The least text after all that begin with *prefix*, in code point order; None when there is none."""
    for at in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[at]) + 1
        if 0xD800 <= code <= 0xDFFF:
            code = 0xE000
        if code <= 0x10FFFF:
            return prefix[:at] + chr(code)
    return None


def _id_condition(op: str, value: Value) -> Composable:
    if value is None:
        return FALSE if op == "eq" else TRUE
    found = read_id(str(value))
    if op == "eq":
        return SQL("(r.id = {})").format(Literal(found)) if found else FALSE
    return _text_condition(SQL("r.id::text"), op, str(value))


def _meta_condition(
    comparison: Comparison, sub: Attribute | None, value: Value, definition: ResourceDefinition
) -> Composable:
    op, name = comparison.op, sub.name if sub else ""
    if name == "resourceType":
        return _text_condition(Literal(definition.type.name), op, str(value))
    column = _META_COLUMNS.get(name)
    if column is None:
        raise invalid_filter(
            f"{comparison.path} cannot be searched: meta.created, meta.lastModified and meta.resourceType can."
        )
    if value is None:
        return FALSE if op == "eq" else TRUE
    if op in ("co", "sw", "ew"):
        text = SQL('to_char({}, \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')').format(column)
        return _text_condition(text, op, str(value))
    sign = {"eq": SQL("="), "ne": SQL("<>"), **_ORDER}[op]
    moment = sub if sub is not None else Attribute("value", "dateTime")
    return SQL("({} {} {}::timestamptz)").format(column, sign, Literal(fold_text(str(value), moment)))


def _folded(value: Value, leaf: Attribute) -> str:
    return fold_text(str(value), leaf) if value is not None else ""
