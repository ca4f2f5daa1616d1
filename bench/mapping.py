"""How fast mapping expressions are parsed, compiled, checked and evaluated, on one core. Prints JSON.

The person and the 20 mappings are those of a usual application: mostly attributes as they are, some functions.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

from lockstep.engine.expressions import EvaluationContext, check, compile_expression, explain
from lockstep.engine.expressions.compiled import compile_tree
from lockstep.engine.expressions.parser import parse
from lockstep.engine.moment import Moment

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


def per_second(work: Callable[[], object], *, seconds: float = 1.0) -> int:
    work()
    rounds = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for _ in range(100):
            work()
        rounds += 100
    return round(rounds / elapsed)


def measure() -> dict[str, int]:
    context = EvaluationContext(Moment(datetime(2026, 1, 1, tzinfo=UTC), b"bench"))
    attributes = [compile_expression(f"[{name}]").attribute or "" for name in DIRECT]
    closures = [compile_expression(text).raw for text in FUNCTIONS]

    def person() -> list[object]:
        values = [PERSON.get(name) for name in attributes]
        values += [closure(PERSON, context) for closure in closures]
        return values

    result = {"people_per_second_20_attributes": per_second(person)}
    for text in FUNCTIONS + HEAVY:
        closure = compile_expression(text).raw
        result[f"evaluations_per_second {text[:40]}"] = per_second(
            lambda run=closure: run(PERSON, context), seconds=0.5
        )
    text = HEAVY[0]
    result["parses_per_second"] = per_second(lambda: parse.__wrapped__(text), seconds=0.5)
    tree = parse(text)
    result["compilations_per_second"] = per_second(lambda: compile_tree(tree, text), seconds=0.5)
    result["checks_per_second"] = per_second(lambda: check(text, PERSON), seconds=0.5)
    result["explanations_per_second"] = per_second(lambda: explain(text, PERSON, context), seconds=0.5)
    return result


if __name__ == "__main__":
    print(json.dumps({"expressions": measure()}, indent=2))
