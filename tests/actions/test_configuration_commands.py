"""The commands for configuration files: what they print to stdout and stderr, and their exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import orjson
import pytest
from click.testing import CliRunner, Result

from lockstep.cli import config
from lockstep.cli.config_files import resolve_reference
from lockstep.configuration.files.file import read_documents
from lockstep.errors import Kind, LockstepError
from tests.support.reused_databases import ReusedDatabase

HEAD = "apiVersion: lockstep/v1\nkind: Application\nmetadata: {name: documo}\nspec:\n  template: documo\n"
FILE = HEAD + "  credentials: {tenantUrl: https://api.documo.test/scim/v2, secretTokenRef: env:DOCUMO_SCIM_TOKEN}\n"
ENTRA = Path(__file__).parents[1] / "engine" / "cases" / "entra_schema.json"
CASES = Path(__file__).parents[1] / "cases"
Say = Callable[..., Result]


@pytest.fixture
def say(reused_lockstep_database: ReusedDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run one command on an empty database, in a folder with a.yaml."""
    monkeypatch.setenv("DATABASE_URL", reused_lockstep_database.database.conninfo)
    monkeypatch.setenv("LOCKSTEP_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DOCUMO_SCIM_TOKEN", "dk_live_4f2a99001122")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(FILE, encoding="utf-8")

    def run(command: click.Command, *arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(command, list(arguments), input=stdin)

    return run


def refused(result: Result) -> LockstepError:
    assert isinstance(result.exception, LockstepError)
    return result.exception


def test_plan_shows_changes_on_stdout_and_the_next_step_on_stderr(say: Say) -> None:
    said = say(config.plan, "a.yaml")

    assert said.exit_code == 0
    assert said.stdout.splitlines() == [
        "Application documo",
        '  + Application documo: template: "documo"',
        '  ~ credentials.tenantUrl: "https://api.documo.com/scim/v2" -> "https://api.documo.test/scim/v2"',
        '  + credentials.secretTokenRef: "env:DOCUMO_SCIM_TOKEN"',
        "",
        "Plan: 2 to add, 1 to change, 0 to remove.",
    ]
    assert "Apply with: lockstep apply a.yaml" in said.stderr


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_a_file_without_a_document_is_not_taken_for_agreement(say: Say, text: str) -> None:
    for command in (config.plan, config.diff, config.apply):
        assert refused(say(command, "-", stdin=text)).detail == "Standard input holds no configuration document"


def test_two_means_changes_and_only_where_it_was_asked_for(say: Say) -> None:
    assert say(config.plan, "a.yaml").exit_code == 0
    assert say(config.plan, "a.yaml", "--detailed-exitcode").exit_code == 2
    assert say(config.diff, "a.yaml", "--detailed-exitcode").exit_code == 2

    assert say(config.apply, "a.yaml", "--yes").exit_code == 0

    assert say(config.plan, "a.yaml", "--detailed-exitcode").exit_code == 0
    assert say(config.diff, "a.yaml").stdout == "No changes: the current configuration is the same.\n"


def test_plan_as_json_is_one_document_without_secrets(say: Say) -> None:
    said = say(config.plan, "a.yaml", "-o", "json")

    found = orjson.loads(said.stdout)
    assert (found["formatVersion"], found["add"], found["change"]) == ("1.0", 2, 1)
    assert "dk_live" not in said.output


def test_apply_asks_and_without_a_terminal_says_which_flag_answers(say: Say) -> None:
    assert "--yes" in refused(say(config.apply, "a.yaml")).next_step
    assert "+ Application documo" in say(config.plan, "a.yaml").stdout


def test_apply_reads_standard_input_once(say: Say) -> None:
    assert "Applied: 2 added, 1 changed, 0 removed." in say(config.apply, "-", "--yes", stdin=FILE).stderr


def test_a_dry_run_changes_nothing(say: Say) -> None:
    assert say(config.apply, "a.yaml", "--dry-run").exit_code == 0

    assert say(config.plan, "a.yaml", "--detailed-exitcode").exit_code == 2


def test_what_is_exported_plans_to_no_changes(say: Say, tmp_path: Path) -> None:
    say(config.apply, "a.yaml", "--yes")

    (tmp_path / "b.yaml").write_text(say(config.export, "documo").stdout, encoding="utf-8")

    assert say(config.diff, "b.yaml", "--detailed-exitcode").exit_code == 0
    assert say(config.diff, "-", "--detailed-exitcode", stdin=FILE).exit_code == 0


def test_a_folder_means_its_yaml_files(say: Say, tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "one.yaml").write_text(FILE, encoding="utf-8")
    (folder / "two.yml").write_text(FILE.replace("name: documo}", "name: second}"), encoding="utf-8")

    assert "Application second" in say(config.plan, str(folder)).stdout
    assert say(config.fmt, "--check", str(folder)).stdout.splitlines() == [f"{folder}/one.yaml", f"{folder}/two.yml"]


def test_a_mistake_is_told_with_file_line_and_column(say: Say) -> None:
    error = refused(say(config.plan, "-", stdin=HEAD + "  rolse: []\n"))

    assert error.kind is Kind.INVALID
    assert error.detail == '-:6:3: spec.rolse: unknown key "rolse", did you mean "roles"?'


def test_a_file_that_there_is_not_is_told(say: Say) -> None:
    missing = refused(say(config.plan, "nowhere.yaml"))
    assert missing.detail == "There is no file nowhere.yaml" and "Check the path" in missing.next_step
    assert "lockstep export documo > documo.yaml" in refused(say(config.plan, "documo")).next_step


def test_fmt_writes_once_and_then_has_nothing_to_do(say: Say, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("# ours\n" + FILE.replace("{name: documo}", "{ name:   documo }  # here"), encoding="utf-8")

    assert say(config.fmt, "--check", "a.yaml").exit_code == 1
    assert say(config.fmt, "a.yaml").stdout == "a.yaml\n"
    assert say(config.fmt, "--check", "a.yaml").exit_code == 0
    assert file.read_text(encoding="utf-8").startswith("# ours\napiVersion: lockstep/v1\nkind: Application\n")
    assert "metadata: {name: documo}  # here\n" in file.read_text(encoding="utf-8")


def test_a_schema_of_entra_becomes_a_file_and_comes_back_identical(say: Say, tmp_path: Path) -> None:
    said = say(config.import_, str(ENTRA), "--app", "documo")

    assert "Mapped 7 attributes." in said.stderr
    assert "unknown function NoSuchFunction, at character 1" in said.stderr
    assert "env:DOCUMO_SCIM_TOKEN" in said.stderr
    (tmp_path / "b.yaml").write_text(said.stdout, encoding="utf-8")
    assert say(config.apply, "b.yaml", "--yes").exit_code == 0
    schema = say(config.export, "documo", "--format", "entra-json").stdout
    assert orjson.loads(schema) == orjson.loads(ENTRA.read_bytes())


def test_what_is_no_schema_is_refused(say: Say, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{", encoding="utf-8")
    (tmp_path / "b.json").write_text("{}", encoding="utf-8")

    assert refused(say(config.import_, "a.json")).detail.startswith("a.json:1:2: this is not valid JSON")
    assert "not a synchronization schema" in refused(say(config.import_, "b.json")).detail


@pytest.mark.parametrize("file", sorted(CASES.glob("entra-*.json")), ids=lambda file: file.stem)
def test_schema_is_read_as_graph_or_powershell_wrote_it(say: Say, file: Path) -> None:
    said = say(config.import_, str(file))

    assert said.exit_code == 0
    assert "0 items need a decision." in said.stderr
    assert "source: userPrincipalName" in said.stdout


def test_schema_inside_the_answer_of_graph_is_found(say: Say, tmp_path: Path) -> None:
    schema = orjson.loads((CASES / "entra-01-pascal-case.json").read_bytes())
    (tmp_path / "jobs.json").write_bytes(orjson.dumps({"value": [{"id": "scim.1", "schema": schema}]}))
    (tmp_path / "two.json").write_bytes(orjson.dumps({"value": [{"schema": schema}, {"schema": schema}]}))

    assert "source: userPrincipalName" in say(config.import_, "jobs.json").stdout
    assert "2 schemas are in this file" in refused(say(config.import_, "two.json")).detail


def test_schema_that_powershell_cut_off_says_how_to_write_it_whole(say: Say, tmp_path: Path) -> None:
    cut = {"SynchronizationRules": [{"Name": "USER_OUTBOUND", "ObjectMappings": "System.Object[]"}]}
    (tmp_path / "cut.json").write_bytes(orjson.dumps(cut))

    error = refused(say(config.import_, "cut.json"))

    assert (error.detail, error.next_step) == (
        "synchronizationRules[0].objectMappings: must be a list; PowerShell cut this part off",
        "Write it with: ConvertTo-Json -Depth 20",
    )


def test_known_names_in_another_letter_case_are_read_and_unknown_ones_are_reported(say: Say, tmp_path: Path) -> None:
    case = orjson.loads((CASES / "engine-05-issoftdeleted-case.json").read_bytes())
    schema = orjson.loads((CASES / "entra-01-pascal-case.json").read_bytes())
    mappings = schema["SynchronizationRules"][0]["ObjectMappings"][0]["AttributeMappings"]
    mappings.append(case["mapping"])
    mappings.append({"TargetAttributeName": "title", "Source": {"Expression": 'Join("-", [GivenName], [shoeSize])'}})
    (tmp_path / "a.json").write_bytes(orjson.dumps(schema))

    said = say(config.import_, "a.json")

    assert 'Switch([IsSoftDeleted], , "False", "True", "True", "False")' in said.stdout
    assert 'Join("-", [givenName], [shoeSize])' in said.stdout
    assert 'unknown source attribute "shoeSize"' in said.stderr
    (tmp_path / "a.yaml").write_text(said.stdout.replace("[shoeSize]", "[surname]"), encoding="utf-8")
    assert say(config.apply, "a.yaml", "--yes").exit_code == 0


def test_file_that_names_an_unknown_source_attribute_is_refused_with_its_place(say: Say, tmp_path: Path) -> None:
    attribute = "{target: userName, match: 1, source: Mail}"
    mapping = f"  provisioning: {{mappings: [{{name: P, source: User, target: User, attributes: [{attribute}]}}]}}\n"
    (tmp_path / "a.yaml").write_text(HEAD + mapping, encoding="utf-8")

    for command, more in ((config.plan, ()), (config.apply, ("--yes",))):
        detail = refused(say(command, "a.yaml", *more)).detail
        assert detail.startswith("a.yaml:6:")
        assert detail.endswith('unknown source attribute "Mail", did you mean "mail"?')


def test_a_reference_gives_the_secret_without_the_line_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("abc\n", encoding="utf-8")
    monkeypatch.setenv("SOME_TOKEN", "def")

    found = [resolve_reference(one) for one in (f"file:{tmp_path}/token", "env:SOME_TOKEN", "env:NOT_SET", "file:/no")]

    assert [one.reveal() if one else None for one in found] == ["abc", "def", None, None]


def test_what_is_imported_is_in_canonical_form(say: Say) -> None:
    text = say(config.import_, str(ENTRA)).stdout

    assert say(config.fmt, "-", stdin=text).stdout == text
    assert len(read_documents(text, "a.yaml")) == 1


WHOLE = f"""\
apiVersion: lockstep/v1
kind: Tenant
metadata: {{name: contoso, labels: {{region: eu}}}}
spec:
  notifications:
    email: [idm-team@contoso.test]
    on: [failure, quarantine]
---
apiVersion: lockstep/v1
kind: Source
metadata: {{name: hr, labels: {{owner: people-team}}}}
spec:
  type: csv
  connection: {{files: [{{path: people.csv}}]}}
---
{FILE.replace("{name: documo}", "{name: documo, labels: {tier: production}}")}"""


def test_the_whole_organisation_is_exported_and_plans_to_no_changes(say: Say, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("id,userPrincipalName\n", encoding="utf-8")
    (tmp_path / "whole.yaml").write_text(WHOLE, encoding="utf-8")
    assert say(config.plan, "whole.yaml", "--detailed-exitcode").exit_code == 2
    assert say(config.apply, "whole.yaml", "--yes").exit_code == 0
    assert say(config.plan, "whole.yaml", "--detailed-exitcode").exit_code == 0

    text = say(config.export, "--all").stdout
    (tmp_path / "again.yaml").write_text(text, encoding="utf-8")

    assert say(config.plan, "again.yaml", "--prune", "--detailed-exitcode").exit_code == 0
    assert say(config.fmt, "--diff", "again.yaml").stdout == ""
    tenant, source, app = read_documents(text, "again.yaml")
    assert (tenant.name, dict(tenant.labels)) == ("contoso", {"region": "eu"})
    assert tenant.spec["notifications"] == {"email": ["idm-team@contoso.test"], "on": ["failure", "quarantine"]}
    assert (dict(source.labels), dict(app.labels)) == ({"owner": "people-team"}, {"tier": "production"})


def test_organisation_without_a_name_is_exported_and_plans_to_no_changes(say: Say, tmp_path: Path) -> None:
    (tmp_path / "again.yaml").write_text(say(config.export, "--all").stdout, encoding="utf-8")

    assert say(config.plan, "again.yaml", "--prune", "--detailed-exitcode").exit_code == 0


def test_another_notification_is_a_change_and_what_the_file_leaves_out_stays(say: Say, tmp_path: Path) -> None:
    file = tmp_path / "tenant.yaml"
    head = "apiVersion: lockstep/v1\nkind: Tenant\nmetadata: {name: contoso}\nspec:"
    file.write_text(f"{head}\n  notifications: {{email: [a@contoso.test], on: [failure]}}\n", encoding="utf-8")
    assert say(config.apply, "tenant.yaml", "--yes").exit_code == 0

    file.write_text(f"{head} {{}}\n", encoding="utf-8")
    assert say(config.plan, "tenant.yaml", "--detailed-exitcode").exit_code == 0
    file.write_text(f"{head}\n  notifications: {{email: [b@contoso.test], on: [failure]}}\n", encoding="utf-8")
    planned = say(config.plan, "tenant.yaml")

    assert '~ notifications.email: ["a@contoso.test"] -> ["b@contoso.test"]' in planned.stdout


@pytest.mark.parametrize("arguments", [(), ("documo", "--all"), ("--all", "--format", "entra-json")])
def test_export_wants_an_application_or_everything(say: Say, arguments: tuple[str, ...]) -> None:
    assert say(config.export, *arguments).exit_code == 2  # of the library; the program itself makes it 64


def test_a_kept_plan_is_applied_as_it_was_planned(say: Say, tmp_path: Path) -> None:
    assert say(config.plan, "a.yaml", "--out", "a.plan").exit_code == 0
    (tmp_path / "a.yaml").write_text("what is edited later does not count", encoding="utf-8")

    assert "dk_live" not in (tmp_path / "a.plan").read_text()
    assert say(config.apply, "a.plan", "--yes").exit_code == 0

    (tmp_path / "a.yaml").write_text(FILE, encoding="utf-8")
    assert say(config.diff, "a.yaml", "--detailed-exitcode").exit_code == 0


def test_a_plan_that_no_longer_holds_is_refused(say: Say) -> None:
    say(config.plan, "a.yaml", "--out", "a.plan")
    say(config.apply, "a.yaml", "--yes")

    error = refused(say(config.apply, "a.plan", "--yes"))

    assert (error.kind, error.code) == (Kind.CONFLICT, "StalePlan")


def test_a_damaged_plan_is_named(say: Say, tmp_path: Path) -> None:
    (tmp_path / "a.plan").write_text('{"kind": "lockstep/plan", "format": 1}')

    assert refused(say(config.apply, "a.plan")).detail == "a.plan is a damaged plan"
