"""Reading configuration files: what is allowed, and how errors are reported."""

from __future__ import annotations

import pytest

from lockstep.configuration.files.file import DocumentKind, read_documents, refuse_doubles
from lockstep.errors import Kind, LockstepError
from tests.engine.config.config_cases import APPLICATION, CONTOSO, application, one


def refusal(text: str) -> LockstepError:
    with pytest.raises(LockstepError) as refused:
        read_documents(text, "a.yaml")
    assert refused.value.kind is Kind.INVALID
    return refused.value


def told_place(error: LockstepError, text: str) -> str:
    """The text at the position that the error names."""
    _, line, column, _ = error.detail.split(":", 3)
    return "\n".join(text.splitlines()[int(line) - 1 :])[int(column) - 1 :]


def changed(old: str, new: str, text: str = CONTOSO) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_a_file_may_hold_documents_of_every_kind() -> None:
    documents = read_documents(CONTOSO, "contoso.yaml")

    assert [(one.kind, one.name) for one in documents] == [
        (DocumentKind.TENANT, "contoso"),
        (DocumentKind.SOURCE, "hr-directory"),
        (DocumentKind.APPLICATION, "documo"),
    ]


def test_a_section_that_is_left_out_is_not_managed() -> None:
    assert one(APPLICATION).spec == {"template": "documo"}


@pytest.mark.parametrize(
    ("old", "new", "there", "words"),
    [
        ("operator: EQUALS", "operator: EQUAL", "operator: EQUAL,", 'did you mean "EQUALS"?'),
        ("expression: 'Switch(", "expresion: 'Switch(", "expresion: ", 'did you mean "expression"?'),
        ("kind: Tenant", "kind: Tenent", "kind: Tenent", 'did you mean "Tenant"?'),
        (
            "apiVersion: lockstep/v1\nkind: Source",
            "apiVersion: lockstep/v2\nkind: Source",
            "apiVersion: lockstep/v2",
            "lockstep/v1",
        ),
        ("type: ldap", "type: ldpa", "type: ldpa", 'did you mean "ldap"?'),
        ("template: documo", "templat: documo", "spec:\n  templat: ", "spec.template"),
        ("scope: assigned ", "scope: asigned ", "scope: asigned", 'did you mean "assigned"?'),
        ("interval: PT40M", "interval: 40 minutes", "interval: 40", "a duration such as"),
        (
            "requestsPerSecond: 10",
            "requestsPerSecond: fast",
            "requestsPerSecond: fast",
            "must be a number greater than 0",
        ),
        ("emailOnFailure: true", "emailOnFailure: yes", "emailOnFailure: yes", "must be true or false"),
        ("Delivery: digest", "Delivery: digests", "notificationDelivery: digests", 'did you mean "digest"?'),
        ("- { group: documo-admins, role: admin }", "- { role: admin }", "{ role: admin }", "either a group or a user"),
        ("[failure, quarantine", "[failure, quarantene", "quarantene", 'did you mean "quarantine"?'),
        ("mode: automatic", "mode: manual", "mode: manual", "allowed: automatic"),
        ("template: documo ", "source: hr\n  template: documo ", "source: hr", "from the whole directory"),
    ],
)
def test_a_mistake_is_told_with_its_line_column_and_what_was_meant(old: str, new: str, there: str, words: str) -> None:
    text = changed(old, new)

    error = refusal(text)

    assert told_place(error, text).startswith(there)
    assert words in error.detail


def test_the_path_of_the_key_is_told() -> None:
    error = refusal(changed("operator: EQUALS", "operator: EQUAL"))

    assert "spec.provisioning.mappings[0].scopingFilters[0].all[0].operator" in error.detail


def test_a_broken_expression_is_told_with_its_character() -> None:
    text = changed("SingleAppRoleAssignment(", "SingleAppRoleAssignmen(")

    error = refusal(text)

    assert told_place(error, text).startswith("expression: 'SingleAppRoleAssignmen(")
    assert "at character 1" in error.detail


@pytest.mark.parametrize("word", ["on", '"on"', "true", "On".lower()])
def test_status_on_may_be_written_with_and_without_quotes(word: str) -> None:
    spec = one(f"{APPLICATION}  provisioning: {{status: {word}}}\n").spec

    assert spec["provisioning"] == {"status": "on"}


@pytest.mark.parametrize("word", ["off", '"off"', "false"])
def test_status_off_may_be_written_with_and_without_quotes(word: str) -> None:
    assert one(f"{APPLICATION}  provisioning: {{status: {word}}}\n").spec["provisioning"] == {"status": "off"}


@pytest.mark.parametrize("word", ["no", "NO", "on", "007", "2024-01-31", "12:30", "'true'"])
def test_a_word_that_only_old_yaml_would_turn_into_something_else_stays_a_text(word: str) -> None:
    text = f"{APPLICATION}  roles: [{{value: {word}, displayName: Somebody}}]\n"

    assert one(text).spec["roles"][0]["value"] == word.strip("'")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("secretTokenRef: env:DOCUMO_SCIM_TOKEN", "secretToken: dk_live_4f2a"),
        ("secretTokenRef: env:DOCUMO_SCIM_TOKEN", "secretTokenRef: dk_live_4f2a"),
        ("secretTokenRef: env:DOCUMO_SCIM_TOKEN", "token: dk_live_4f2a"),
        ("passwordRef: file:/run/secrets/ldap_password", "password: dk_live_4f2a"),
        ("passwordRef: file:/run/secrets/ldap_password", "bind_password: dk_live_4f2a"),
        ("url: ldaps://dc1", "url: ldaps://lockstep:dk_live_4f2a@dc1"),
    ],
)
def test_a_secret_in_a_file_is_refused_and_not_repeated(old: str, new: str) -> None:
    error = refusal(changed(old, new))

    assert "env:" in error.next_step
    assert "dk_live" not in error.detail + error.why + error.next_step


def test_a_key_that_is_there_twice_is_refused_with_both_places() -> None:
    error = refusal(f"{APPLICATION}  template: custom-scim\n")

    assert error.detail == 'a.yaml:6:3: the key "template" is defined twice, first on line 5'


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("a: [1, 2", "1:9"),
        ("a:\n\tb: 1", "2:1"),
        ("a: 'x", "1:6"),
        ("a: *nobody", "1:4"),
        ("a: !!python/object:os.system x", "1:4"),
        ("? [a, b]\n: c", "1:3"),
        ("[" * 5000, "1:41"),
        ("- 1\n", "1:1"),
        ("just text", "1:1"),
    ],
)
def test_what_is_no_yaml_of_ours_is_refused_with_its_position(text: str, position: str) -> None:
    assert refusal(text).detail.startswith(f"a.yaml:{position}: ")


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    assert "aliases" in refusal("\n".join(lines)).why


@pytest.mark.parametrize(
    "text",
    [
        f"a: &a {'x' * 40_000}\nb: [{', '.join(['*a'] * 1_000)}]",
        f'? "{"k" * 40_000}"\n: [{", ".join("x" * 1_000)}]',
        f'? "{"k" * 40_000}"\n: {{{", ".join(f"k{n}: x" for n in range(1_000))}}}',
    ],
    ids=["a long text repeated", "values below a long key", "keys below a long key"],
)
def test_a_small_file_cannot_become_large_by_long_texts(text: str) -> None:
    assert len(text) < 60_000
    assert "expands to more than 32,000,000 characters" in refusal(text).detail


def test_an_alias_to_itself_is_refused() -> None:
    assert "aliases" in refusal("a: &a [*a]").why


def test_aliases_as_such_are_possible() -> None:
    text = changed("tenantUrl: https", "tenantUrl: &url https") + "---\n" + APPLICATION.replace("documo}", "other}")

    assert len(read_documents(text, "a.yaml")) == 4


def test_two_documents_of_the_same_thing_are_refused() -> None:
    documents = [*read_documents(APPLICATION, "a.yaml"), *read_documents(APPLICATION, "b.yaml")]

    with pytest.raises(LockstepError, match=r"b.yaml:3:12: Application documo is defined twice, first in a.yaml:1"):
        refuse_doubles(documents)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"roles": [{"value": "a"}, {"value": "A"}]}, "is defined twice"),
        ({"roles": [{"value": "a", "default": True}, {"value": "b", "default": True}]}, "only one role"),
        ({"roles": [{"description": "x"}]}, "needs a value or a displayName"),
        ({"assignments": [{"user": "a", "group": "b"}]}, "either a group or a user"),
        ({"assignments": [{"user": "a"}, {"user": "A"}]}, "is defined twice"),
        ({"credentials": {"authentication": "digest"}}, "allowed: bearer"),
    ],
)
def test_a_contradiction_inside_a_section_is_refused(sections: dict[str, object], words: str) -> None:
    with pytest.raises(LockstepError, match=words):
        application(**sections)


SOURCE = "apiVersion: lockstep/v1\nkind: Source\nmetadata: {name: hr}\nspec:\n  type: csv\n"


@pytest.mark.parametrize(
    ("lines", "place", "words"),
    [
        ("  connection: {file: [{path: a.csv}]}", "spec.connection.file", 'did you mean "files"?'),
        ("  connection: {files: [{path: a.csv, kinds: people}]}", "files[0].kinds", 'did you mean "kind"?'),
        ("  connection: {files: [{path: a.csv, kind: peple}]}", "files[0].kind", 'did you mean "people"?'),
        ("  connection: {files: [{kind: people}]}", "files[0].path", "is missing"),
        ("  connection: {encodng: cp1252}", "spec.connection.encodng", 'did you mean "encoding"?'),
        ("  delta: {mode: watermark}", "spec.delta", "CSV files cannot be read in part"),
    ],
)
def test_a_key_that_a_kind_of_source_does_not_have_is_refused(lines: str, place: str, words: str) -> None:
    error = refusal(SOURCE + lines)

    assert place in error.detail
    assert words in error.detail


@pytest.mark.parametrize(
    ("kind", "name"),
    [("Application", "🦄 x"), ("Application", "Documo"), ("Source", "lockstep"), ("Tenant", "x" * 101)],
)
def test_a_name_that_could_not_be_applied_is_refused_on_reading(kind: str, name: str) -> None:
    error = refusal(f"apiVersion: lockstep/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{}}\n")

    assert f"is not a valid name for this {kind.lower()}" in error.detail
