"""The canonical form of configuration files."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep.configuration.files.file import ConfigDocument, DocumentKind, document_to_json, read_documents
from lockstep.configuration.files.write import format_text, laid_out, serialized, write_documents
from tests.engine.config.config_cases import APPLICATION, CONTOSO, one
from tests.engine.config.config_strategies import JSON, documents


@settings(max_examples=20, deadline=None)
@given(st.lists(documents(), min_size=1, max_size=2))
def test_reading_what_was_written_gives_the_same_documents(some: list[ConfigDocument]) -> None:
    text = write_documents(some)

    assert list(read_documents(text, "a.yaml")) == some
    assert format_text(text, "a.yaml") == text


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_another_reader_of_yaml_sees_the_same_values(value: object) -> None:
    document = ConfigDocument(DocumentKind.SOURCE, "a", {"type": "csv", "connection": {"x": value}})

    assert yaml.safe_load(write_documents([document]))["spec"]["connection"]["x"] == value


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text(max_size=5) | st.just("k" * 130), JSON, max_size=4))
def test_files_are_written_exactly_as_pyyaml_writes_them(value: dict[str, object]) -> None:
    document = ConfigDocument(DocumentKind.SOURCE, "a", {"type": "csv", "connection": value})

    assert write_documents([document]) == serialized(laid_out(document_to_json(document)))


def test_the_canonical_form_is_stable() -> None:
    once = format_text(CONTOSO, "a.yaml")

    assert format_text(once, "a.yaml") == once
    assert read_documents(once, "a.yaml") == read_documents(CONTOSO, "a.yaml")


def test_every_comment_stays_with_its_key() -> None:
    written = format_text(CONTOSO, "a.yaml").splitlines()

    assert written[0] == "# contoso.yaml - everything needed to run Documo provisioning"
    assert "  type: ldap  # csv | ldap | graph | sql | scim | demo" in written
    assert "      threshold: 500  # per cycle, hour and day" in written
    assert next(line for line in written if "# always | createOnly" in line).startswith(
        "          - {target: name.familyName"
    )
    at = next(number for number, line in enumerate(written) if "# constants:" in line)
    assert written[at + 1] == "      - name: Provision Microsoft Entra groups"


def test_a_comment_at_the_end_stays_and_a_hash_inside_a_value_is_none() -> None:
    text = f"{APPLICATION}  displayName: 'Documo # 1'\n# the end\n"

    assert format_text(text, "a.yaml") == f"{APPLICATION}  displayName: 'Documo # 1'\n# the end\n"


def test_what_is_as_by_default_is_left_out_and_keys_have_one_order() -> None:
    text = f"{APPLICATION}  provisioning:\n    scope: all\n    status: true\n    mode: automatic\n"

    assert list(one(text).spec["provisioning"]) == ["mode", "status", "scope"]
    assert format_text(text, "a.yaml").endswith(
        "  provisioning: \n    mode: automatic\n    status: 'on'\n    scope: all\n".replace(": \n", ":\n")
    )


@pytest.mark.parametrize("text", ["\x85", "a\u2028b", "a\r\nb", "\ufeff", "\n"])
def test_line_ends_inside_a_text_and_a_key_stay_what_they_are(text: str) -> None:
    document = ConfigDocument(DocumentKind.SOURCE, "a", {"type": "ldap", "connection": {text: text}})

    assert read_documents(write_documents([document]), "a.yaml") == (document,)
