"""Measure how fast one core parses, compiles, checks and evaluates expressions, whole mappings and scoping filters. Prints JSON.

The whole mapping is that of a custom SCIM application with its 22 attributes. `bench/cycle.py` measures a changed mapping.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from lockstep.configuration.rules import JobConfiguration, ObjectMapping
from lockstep.engine.decisions.mapping import map_account
from lockstep.engine.decisions.scope import decide_scope
from lockstep.engine.decisions.source_record import source_record
from lockstep.engine.expressions import EvaluationContext, check, compile_expression, explain
from lockstep.engine.expressions.compiled import compile_tree
from lockstep.engine.expressions.parser import parse, read_tree
from lockstep.engine.moment import Moment
from lockstep.engine.records import Assignment, ObjectKind, SourceObject
from lockstep.gallery.loader import load_gallery

PERSON = {
    "userPrincipalName": "anna.lindqvist@contoso.com",
    "mail": "anna.lindqvist@contoso.com",
    "mailNickname": "anna.lindqvist",
    "displayName": "Anna Lindqvist",
    "givenName": "Anna",
    "surname": "Lindqvist",
    "jobTitle": "Sales Manager",
    "department": "Sales",
    "preferredLanguage": "sv-SE",
    "streetAddress": "Storgatan 1",
    "city": "Göteborg",
    "state": "VG",
    "postalCode": "411 24",
    "country": "SE",
    "telephoneNumber": "+46 31 123 45",
    "mobile": "+46 70 123 45 67",
    "employeeId": "10471",
    "physicalDeliveryOfficeName": "B 204",
    "IsSoftDeleted": "False",
    "appRoleAssignments": ({"id": "r1", "value": "member", "displayName": "Member"},),
}
DIRECT = (
    "userPrincipalName",
    "displayName",
    "jobTitle",
    "mail",
    "preferredLanguage",
    "givenName",
    "surname",
    "physicalDeliveryOfficeName",
    "streetAddress",
    "city",
    "postalCode",
    "telephoneNumber",
    "mobile",
    "mailNickname",
    "employeeId",
)
FUNCTIONS = (
    'Switch([IsSoftDeleted], , "False", "True", "True", "False")',
    'Join(" ", [givenName], [surname])',
    "Coalesce([department], [jobTitle])",
    'IIF([country]="SE", [state], [city])',
    "SingleAppRoleAssignment([appRoleAssignments])",
)
HEAVY = (
    'ToLower(Join("@", NormalizeDiacritics(StripSpaces(Join(".", [givenName], [surname]))), "contoso.com"))',
    r'Replace([telephoneNumber], , "[^\\d+]", , "", , )',
    'FormatDateTime("20150123105347.1Z", , "yyyyMMddHHmmss.fZ", "yyyy-MM-dd")',
    'DateDiff("d", Now(), CDate("2031-01-01"))',
)

MOMENT = Moment(datetime(2026, 1, 1, tzinfo=UTC), b"bench")
# AND inside a filter, OR between filters: the first fails at its pattern, the second matches.
FILTERS = [
    {
        "title": "Sales in Norway",
        "all": [
            {"attribute": "department", "operator": "EQUALS", "value": "Sales"},
            {"attribute": "userPrincipalName", "operator": "REGEX MATCH", "value": ".*@contoso[.]no"},
        ],
    },
    {
        "title": "Employees with a mailbox",
        "all": [
            {"attribute": "department", "operator": "IS NOT NULL"},
            {"attribute": "country", "operator": "NOT EQUALS", "value": "DE"},
            {"attribute": "mail", "operator": "REGEX MATCH", "value": r"[a-z]+[.][a-z]+@contoso[.]com"},
        ],
    },
]


def per_second(work: Callable[[], object], *, seconds: float = 1.0) -> int:
    work()
    rounds = 0
    start = time.process_time()
    while (elapsed := time.process_time() - start) < seconds:
        for _ in range(100):
            work()
        rounds += 100
    return round(rounds / elapsed)


def measure() -> dict[str, int]:
    context = EvaluationContext(MOMENT)
    attributes = [compile_expression(f"[{name}]").attribute or "" for name in DIRECT]
    closures = [compile_expression(text).evaluate for text in FUNCTIONS]

    def person() -> list[object]:
        values: list[object] = [PERSON.get(name) for name in attributes]
        values += [closure(PERSON, context) for closure in closures]
        return values

    result = {"people_per_second_20_attributes": per_second(person)}
    for text in FUNCTIONS + HEAVY:
        closure = partial(compile_expression(text).evaluate, PERSON, context)
        result[f"evaluations_per_second {text[:40]}"] = per_second(closure, seconds=0.5)
    text = HEAVY[0]
    result["parses_per_second"] = per_second(lambda: read_tree(text), seconds=0.5)
    tree = parse(text)
    result["compilations_per_second"] = per_second(lambda: compile_tree(tree, text), seconds=0.5)
    result["checks_per_second"] = per_second(lambda: check(text), seconds=0.5)
    result["explanations_per_second"] = per_second(lambda: explain(text, PERSON, context), seconds=0.5)
    return result


def measure_whole() -> dict[str, int]:
    """Everything that a decision does: the person's record, every attribute with its type and reference, and the scope with its reasons."""
    hub = SourceObject(
        ObjectKind.USER,
        "p1",
        "Anna Lindqvist",
        {name: value for name, value in PERSON.items() if name not in ("IsSoftDeleted", "appRoleAssignments")},
        assignments=(Assignment("r1"),),
        references={"manager": "p2"},
    )
    plain, plain_users = _application()
    filtered, filtered_users = _application(FILTERS)
    record = source_record(hub, filtered, is_soft_deleted=False)
    assert decide_scope(hub, filtered_users, filtered, moment=MOMENT).in_scope, (
        "the filters of this benchmark let its person through"
    )

    def mapped() -> object:
        return map_account(
            hub,
            plain_users,
            configuration=plain,
            moment=MOMENT,
            creating=False,
            is_soft_deleted=False,
            generated={},
            account_ids={"p2": "account-2"},
        )

    def holds() -> bool:
        return any(scoping.condition.holds(record, MOMENT) for scoping in filtered_users.scoping_filters)

    return {
        f"people_per_second_{len(plain_users.flowing)}_attributes": per_second(mapped),
        "digests_per_second": per_second(lambda: mapped().digest),  # type: ignore[attr-defined]
        "scope_per_second_no_filter": per_second(
            lambda: decide_scope(hub, plain_users, plain, moment=MOMENT, record=record)
        ),
        "scope_answers_per_second_5_clauses": per_second(holds),
        "scope_decisions_per_second_5_clauses": per_second(
            lambda: decide_scope(hub, filtered_users, filtered, moment=MOMENT, record=record)
        ),
    }


def _application(filters: Sequence[Mapping[str, Any]] = ()) -> tuple[JobConfiguration, ObjectMapping]:
    read = load_gallery().template("custom")
    provisioning = json.loads(json.dumps(read.provisioning))
    for mapping in provisioning["mappings"]:
        if mapping["source"] == "User" and filters:
            mapping["scopingFilters"] = list(filters)
    configuration = read.read(provisioning, version=1, roles=read.roles)
    users = configuration.mapping_for(ObjectKind.USER)
    assert users is not None
    return configuration, users


if __name__ == "__main__":
    print(json.dumps({"expressions": measure(), "mapping": measure_whole()}, indent=2))
