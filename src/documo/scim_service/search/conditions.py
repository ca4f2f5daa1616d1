"""The building blocks of a filter in SQL: comparisons with a column, a JSON value or an element of a list.

Each block yields true or false and never null, so that it can be negated.
"""

from __future__ import annotations

from psycopg.sql import SQL, Composable, Literal
from psycopg.types.json import Jsonb

from documo.identifiers import read_id
from documo.search_document import fold_text
from lockstep.scim.errors import invalid_filter
from lockstep.scim.filters import Comparison, FilterValue
from lockstep.scim.names import AttributePath
from lockstep.scim.registry import PathTarget, ResourceDefinition
from lockstep.scim.schema import Attribute

TRUE, FALSE = SQL("true"), SQL("false")
_ORDER = {"gt": SQL(">"), "ge": SQL(">="), "lt": SQL("<"), "le": SQL("<=")}
_META_COLUMNS = {"created": SQL("r.created_at"), "lastModified": SQL("r.last_modified")}


def leaf_of(target: PathTarget, comparison: Comparison) -> tuple[Attribute, Attribute | None]:
    attribute = target.attribute
    if attribute is None:
        raise invalid_filter(f"{comparison.path} is a schema, not an attribute.")
    if target.sub is not None or not attribute.is_complex:
        return attribute, target.sub
    value = attribute.sub("value")
    if value is None:
        raise invalid_filter(
            f"{comparison.path} has sub-attributes: name the one to compare, as in {comparison.path}.NAME."
        )
    return attribute, value


def element_leaf(path: AttributePath, attribute: Attribute) -> tuple[Attribute | None, Attribute]:
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


def place_of(target: PathTarget) -> Composable:
    """Return the SQL expression of the attribute in the search document."""
    name = Literal(target.attribute.name if target.attribute else "")
    return (
        SQL("s.document->{}->{}").format(Literal(target.urn), name)
        if target.urn
        else SQL("s.document->{}").format(name)
    )


def exists(array: Composable, condition: Composable) -> Composable:
    return SQL(
        "exists (select 1 from jsonb_array_elements(case jsonb_typeof({array}) when 'array' then {array} else '[]' end)"
        " as e(item) where {condition})"
    ).format(array=array, condition=condition)


def is_set(place: Composable) -> Composable:
    return SQL("coalesce({place} not in ('null', '\"\"', '[]', '{{}}'), false)").format(place=place)


def element_condition(
    element: Composable, sub: Attribute | None, leaf: Attribute, op: str, value: FilterValue
) -> Composable:
    place = SQL("{}->{}").format(element, Literal(sub.name)) if sub is not None else element
    if leaf.multi_valued and sub is not None:
        raise invalid_filter(f"{sub.name} has several values in each element and cannot be compared.")
    return scalar_condition(place, leaf, op, value)


def scalar_condition(place: Composable, leaf: Attribute, op: str, value: FilterValue) -> Composable:
    """Return a comparison with the jsonb value at *place*. `ne` and `eq null` are true if there is no value."""
    if value is None:
        return SQL("({} is null)" if op == "eq" else "({} is not null)").format(place)
    if leaf.type in ("boolean", "integer", "decimal"):
        return json_condition(place, op, Jsonb(value))
    text = SQL("({} #>> '{{}}')").format(place)
    return text_condition(text, op, folded(value, leaf))


def json_condition(place: Composable, op: str, value: Jsonb) -> Composable:
    literal = Literal(value)
    if op == "ne":
        return SQL("({} is distinct from {})").format(place, literal)
    sign = _ORDER.get(op, SQL("="))
    return SQL("coalesce(jsonb_typeof({place}) = jsonb_typeof({value}) and {place} {sign} {value}, false)").format(
        place=place, value=literal, sign=sign
    )


def text_condition(text: Composable, op: str, value: str) -> Composable:
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


def column_condition(column: Composable, op: str, value: FilterValue) -> Composable:
    """Return a comparison with an indexed text column, written so that the index can be used with row-level security."""
    if value is None:
        return SQL("({} is null)" if op == "eq" else "({} is not null)").format(column)
    text, literal = str(value), Literal(str(value))
    if op == "eq":
        return SQL("({column} = {value} and {column} is not null)").format(column=column, value=literal)
    if op == "sw" and text:
        # Use a range and not LIKE, which is not leakproof and therefore could not use the index.
        after = after_prefix(text)
        upper = SQL(" and {} < {}").format(column, Literal(after)) if after else SQL("")
        return SQL("({column} is not null and {column} >= {value}{upper})").format(
            column=column, value=literal, upper=upper
        )
    return text_condition(column, op, text)


def after_prefix(prefix: str) -> str | None:
    """Return the smallest string greater than all strings that begin with *prefix*, in code point order, or None if there is none."""
    for at in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[at]) + 1
        if 0xD800 <= code <= 0xDFFF:
            code = 0xE000
        if code <= 0x10FFFF:
            return prefix[:at] + chr(code)
    return None


def id_condition(op: str, value: FilterValue) -> Composable:
    if value is None:
        return FALSE if op == "eq" else TRUE
    found = read_id(str(value))
    if op == "eq":
        return SQL("(r.id = {})").format(Literal(found)) if found else FALSE
    return text_condition(SQL("r.id::text"), op, str(value))


def meta_condition(
    comparison: Comparison, sub: Attribute | None, value: FilterValue, definition: ResourceDefinition
) -> Composable:
    op, name = comparison.op, sub.name if sub else ""
    if name == "resourceType":
        return text_condition(Literal(definition.type.name), op, str(value))
    column = _META_COLUMNS.get(name)
    if column is None:
        raise invalid_filter(
            f"{comparison.path} cannot be searched. Use meta.created, meta.lastModified or meta.resourceType."
        )
    if value is None:
        return FALSE if op == "eq" else TRUE
    if op in ("co", "sw", "ew"):
        text = SQL('to_char({}, \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')').format(column)
        return text_condition(text, op, str(value))
    sign = {"eq": SQL("="), "ne": SQL("<>"), **_ORDER}[op]
    moment = sub if sub is not None else Attribute("value", "dateTime")
    return SQL("({} {} {}::timestamptz)").format(column, sign, Literal(fold_text(str(value), moment)))


def folded(value: FilterValue, leaf: Attribute) -> str:
    return fold_text(str(value), leaf) if value is not None else ""
