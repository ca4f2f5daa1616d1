"""The parts of a compiled expression besides its value: dependencies, candidates, explanations, repeatable randomness."""

from __future__ import annotations

from datetime import UTC, datetime

from lockstep.engine.expressions import DROP, SKIP_OBJECT, EvaluationContext, compile_expression, explain
from lockstep.engine.expressions.explain import ExplainedExpression
from lockstep.engine.moment import Moment

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTEXT = EvaluationContext(Moment(NOW, b"seed"))


def test_attributes_are_those_that_the_text_names() -> None:
    compiled = compile_expression('IIF([country]="SE", Join(" ", [givenName], [surname]), "x")')

    assert compiled.attributes == {"country", "givenName", "surname"}
    assert compiled.functions == {"IIF", "Join"}
    assert compiled.attribute is None


def test_expression_that_is_only_an_attribute_says_so() -> None:
    assert compile_expression("[mail]").attribute == "mail"


def test_compiling_the_same_text_again_gives_the_same_object() -> None:
    assert compile_expression("ToLower([mail])") is compile_expression("ToLower([mail])")


def test_several_values_come_out_as_they_are() -> None:
    assert compile_expression("[proxyAddresses]").evaluate({"proxyAddresses": ("a", "b")}, CONTEXT) == ("a", "b")


def test_decisions_not_to_flow_come_out_as_values() -> None:
    text = 'Switch([a], , "1", IgnoreAttributeFlow, "2", IgnoreObjectFlow)'

    assert compile_expression(text).evaluate({"a": "1"}, CONTEXT) is DROP
    assert compile_expression(text).evaluate({"a": "2"}, CONTEXT) is SKIP_OBJECT


def test_random_values_repeat_with_the_moment_and_differ_between_objects_attributes_and_places() -> None:
    compiled = compile_expression('Join("|", Guid(), Guid(), RandomString(40,1,1,1,1))')
    same = EvaluationContext(Moment(NOW, b"seed"), label="userName")
    other_object = EvaluationContext(Moment(NOW, b"another"), label="userName")
    other_attribute = EvaluationContext(Moment(NOW, b"seed"), label="nickName")

    first = compiled.evaluate({}, same)

    assert compiled.evaluate({}, same) == first
    assert compiled.evaluate({}, other_object) != first
    assert compiled.evaluate({}, other_attribute) != first
    guids = first.split("|")[:2]
    assert guids[0] != guids[1]


def test_random_string_keeps_every_minimum() -> None:
    compiled = compile_expression('RandomString(12,2,3,4,3,"0O1l")')

    for number in range(200):
        made = compiled.evaluate({}, EvaluationContext(Moment(NOW, number.to_bytes(2, "big"))))
        assert len(made) == 12
        assert sum(character.isdigit() for character in made) == 2
        assert sum(character.isupper() for character in made) == 4
        assert sum(character.islower() for character in made) == 3
        assert not set(made) & set("0O1l")


def test_taken_may_be_asked_one_value_at_a_time() -> None:
    context = EvaluationContext(Moment(NOW), taken=lambda value: value == "anna")

    assert compile_expression('SelectUniqueValue("anna", "anna2")').evaluate({}, context) == "anna2"


def test_candidates_of_a_unique_value_are_known_before_the_target_is_asked() -> None:
    compiled = compile_expression('SelectUniqueValue([a], Append([a], "1"), [a], [missing])')

    assert compiled.unique_candidates({"a": "anna"}, CONTEXT) == ("anna", "anna1")
    assert compile_expression("ToLower([a])").unique_candidates({"a": "anna"}, CONTEXT) == ()


def test_default_domain_comes_from_the_context() -> None:
    context = EvaluationContext(Moment(NOW), default_domain="contoso.com")

    assert compile_expression('Join("@", [a], DefaultDomain())').evaluate({"a": "x"}, context) == "x@contoso.com"


def test_redacting_expression_says_so() -> None:
    assert compile_expression("ToLower(Redact([mail]))").is_redacted
    assert not compile_expression("ToLower([mail])").is_redacted


def test_explanation_holds_every_part_with_its_value() -> None:
    told = explain('Join("-", ToUpper([a]), Count([p]))', {"a": "x", "p": ["1", "2"]}, CONTEXT)

    assert (told.text, told.value) == ('Join("-", ToUpper([a]), Count([p]))', "X-2")
    assert [(part.text, part.value, part.position) for part in told.parts] == [
        ('"-"', "-", 6),
        ("ToUpper([a])", "X", 11),
        ("Count([p])", 2, 25),
    ]
    assert [(part.text, part.value) for part in told.parts[1].parts] == [("[a]", "x")]


def test_explanation_marks_what_was_not_needed() -> None:
    told = explain('IIF([a]="1", [b], Error("no"))', {"a": "1", "b": "yes"}, CONTEXT)

    assert [(part.text, part.is_reached) for part in told.parts] == [
        ('[a] = "1"', True),
        ("[b]", True),
        ('Error("no")', False),
    ]
    assert told.parts[0].value is True


def test_explanation_shows_where_an_evaluation_was_refused() -> None:
    told = explain("ToLower(Item([p], 2))", {"p": ["a"]}, CONTEXT)

    refused = told.parts[0]
    assert refused.error == told.error
    assert "Item found no value number 2" in told.error
    assert refused.parts[0] == ExplainedExpression("[p]", 14, ["a"], is_reached=True)


def test_explanation_shows_a_decision_not_to_flow() -> None:
    told = explain('IIF([a]="1", [a], IgnoreAttributeFlow)', {}, CONTEXT)

    assert told.value is DROP
    assert [part.is_reached for part in told.parts] == [True, False, True]
