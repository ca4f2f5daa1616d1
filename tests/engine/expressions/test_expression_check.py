"""The static check: errors, did-you-mean, and warnings about documented traps."""

from __future__ import annotations

import pytest

from lockstep.engine.expressions import ExpressionFinding, Severity, check


def messages(text: str, severity: Severity | None = None, *, syncs_all: bool = False) -> list[str]:
    return [finding.message for finding in check(text, syncs_all=syncs_all) if severity in (None, finding.severity)]


def test_good_expression_has_no_finding() -> None:
    assert check('Join(" ", [givenName], [surname])') == []


def test_unknown_function_is_an_error_with_the_probable_name() -> None:
    assert check("ToLowr([mail])") == [
        ExpressionFinding(Severity.ERROR, 1, "unknown function ToLowr; did you mean ToLower", "ToLower")
    ]


def test_function_in_the_wrong_case_is_an_error_with_the_right_case() -> None:
    assert [finding.suggestion for finding in check("coalesce([mail], [surname])")] == ["Coalesce"]


def test_all_errors_are_found_at_once() -> None:
    text = "Join(1, Foo(), Left([mail]), ToLower(x))"

    assert [finding.position for finding in check(text)] == [9, 16, 38]


def test_syntax_error_is_the_only_finding() -> None:
    findings = check("Join([mail]")

    assert [(finding.severity, finding.position) for finding in findings] == [(Severity.ERROR, 12)]


def test_constant_of_the_wrong_kind_is_an_error() -> None:
    assert messages('Left([mail], "three")', Severity.ERROR) == [
        'Left needs a whole number for number of characters, got "three"'
    ]


def test_constant_part_that_always_fails_is_a_warning() -> None:
    assert messages('Switch([country], "x", "SE", Item(Split("a,b", ","), 3))', Severity.WARNING) == [
        "this always fails: Item found no value number 3: the attribute has 2 values"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('Append(FormatDateTime("xx", , "yyyy", "yyyy"), [mail])', "FormatDateTime cannot read"),
        ("RandomString(3, 1, 1, 1, 1)", "RandomString needs a length of at least 4"),
    ],
)
def test_call_on_constants_that_always_fails_is_a_warning_also_where_it_looks_at_time_or_chance(
    text: str, message: str
) -> None:
    [said] = messages(text, Severity.WARNING)

    assert said.startswith(f"this always fails: {message}")


@pytest.mark.parametrize(
    "text", ["Now()", "RandomString(10, 1, 1, 1, 1)", 'FormatDateTime(Error("x"), , "yyyy", "yyyy")']
)
def test_call_on_constants_that_may_succeed_is_none(text: str) -> None:
    assert messages(text, Severity.WARNING) == []


def test_error_function_may_always_fail() -> None:
    assert messages('Coalesce([mail], Error("no mail"))', Severity.WARNING) == []


def test_several_values_for_one_text_is_a_warning() -> None:
    assert messages('ToLower(Split([mail], ","))') == ["ToLower needs text, but Split gives several values"]


@pytest.mark.parametrize(
    "text",
    [
        'IIF([country]="","Other",[country])',
        'IIF(IsNullOrEmpty([country]),"Other",[country])',
        'IIF(IsPresent([country]),[country],"Other")',
    ],
)
def test_iif_that_asks_for_emptiness_is_a_warning_with_the_switch_to_write(text: str) -> None:
    findings = check(text)

    assert [(finding.severity, finding.suggestion) for finding in findings] == [
        (Severity.WARNING, 'Switch([country], [country], "", "Other")')
    ]


def test_iif_on_an_attribute_tells_what_absence_means() -> None:
    assert messages('IIF([country]="USA",[country],[department])', Severity.WARNING) == [
        'where [country] is absent, the condition compares an empty text ""; Entra refuses the object'
    ]


@pytest.mark.parametrize("name", ["IsPresent", "IsNull", "IsNullOrEmpty"])
def test_switch_over_a_question_is_a_warning(name: str) -> None:
    assert messages(f'Switch({name}([mail]), [mail], "True", [surname])') == [
        f'Switch should not have {name} as the source. To handle a missing value, add the key "" and a result for it'
    ]


def test_key_that_comes_twice_is_a_warning() -> None:
    assert messages('Switch([country], , "SE", "1", "SE", "2")') == ['the key "SE" occurs twice; the first one is used']


def test_switch_on_a_reference_is_a_warning() -> None:
    assert messages('Switch([manager], , "a", "b")') == ["Switch should not be used on the reference [manager]"]


def test_role_function_with_the_scope_of_all_users_is_a_warning() -> None:
    text = "SingleAppRoleAssignment([appRoleAssignments])"

    assert messages(text, syncs_all=False) == []
    assert messages(text, syncs_all=True) == [
        "SingleAppRoleAssignment is used with a scope of all users: people who are not assigned have no role"
    ]


@pytest.mark.parametrize("text", ["[appRoleAssignments]", 'Join(",", [appRoleAssignments])'])
def test_role_assignments_without_a_role_function_are_a_warning(text: str) -> None:
    assert messages(text) == ["[appRoleAssignments] cannot be used as a value; use one of the role functions"]


def test_nested_select_unique_value_is_an_error() -> None:
    assert messages("ToLower(SelectUniqueValue([mail], [surname]))") == [
        "SelectUniqueValue must be the outermost function"
    ]
