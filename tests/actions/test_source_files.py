"""The files of the server that a source may read: any file if it is named on the server's command line, otherwise files below
one folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lockstep.actions.configuration import plan_configuration
from lockstep.actions.configuration_apply import apply_configuration
from lockstep.actions.context import Actor, Context
from lockstep.actions.source_files import files_outside
from lockstep.actions.source_keys import rekey_source, rename_source
from lockstep.actions.sources import import_source, rehearse_import, save_source, show_source
from lockstep.configuration.files.file import ConfigDocument, read_documents
from lockstep.errors import LockstepError
from tests.support.hub import Hub, person, write_csv

OUTSIDE = "is not a file below"
NAMES: dict[str, Callable[[Path], str]] = {
    "absolute": lambda outside: str(outside),
    "traversal": lambda _: "../outside.csv",
    "traversal through a folder": lambda _: "hr/../../outside.csv",
    "absolute traversal": lambda outside: f"{outside.parent}/sources/../outside.csv",
    "link": lambda _: "link.csv",
    "folder that is a link": lambda _: "up/outside.csv",
    "environment of the process": lambda _: "/proc/self/environ",
    "root of the process": lambda outside: f"/proc/self/root{outside}",
    "two slashes": lambda outside: f"/{outside}",
    "share": lambda _: "//server/share/people.csv",
    "the folder itself": lambda _: ".",
    "NUL": lambda _: "people.csv\0",
}


def csv(*paths: Path | str) -> dict[str, object]:
    return {"files": [{"path": str(path), "kind": "people"} for path in paths]}


def yaml(path: Path | str, *, name: str = "spy") -> tuple[ConfigDocument, ...]:
    text = (
        f"apiVersion: lockstep/v1\nkind: Source\nmetadata: {{name: {name}}}\nspec:\n  type: csv\n"
        f"  connection: {{files: [{{path: '{path}', kind: people}}]}}\n"
    )
    return read_documents(text, "a.yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder for sources' files, with links that lead out of it to `outside.csv`."""
    made = tmp_path / "sources"
    (made / "hr").mkdir(parents=True)
    write_csv(tmp_path / "outside.csv", [person("zoe")])
    (made / "link.csv").symlink_to(tmp_path / "outside.csv")
    (made / "up").symlink_to(tmp_path)
    return made


@pytest.fixture
def operator(hub: Hub, folder: Path) -> Context:
    return replace(hub.context, sources_folder=folder)


@pytest.fixture
def remote(operator: Context) -> Context:
    """Somebody with every permission, who is not on the command line of the server."""
    return replace(operator, actor=Actor("global@contoso.test"))


@pytest.mark.parametrize("name", NAMES)
async def test_somebody_who_is_not_the_operator_names_no_file_outside_the_folder(
    remote: Context, folder: Path, name: str
) -> None:
    path = NAMES[name](folder.parent / "outside.csv")

    with pytest.raises(LockstepError, match=OUTSIDE) as refused:
        await save_source(remote, "spy", kind="csv", config=csv(path))

    assert str(folder) in refused.value.detail and "upload" in refused.value.next_step
    with pytest.raises(LockstepError, match="spy"):
        await show_source(remote, "spy")


@pytest.mark.parametrize("name", [one for one in NAMES if one != "NUL"])
async def test_configuration_files_obey_the_same_rule(remote: Context, folder: Path, name: str) -> None:
    documents = yaml(NAMES[name](folder.parent / "outside.csv"))

    with pytest.raises(LockstepError, match=rf"a\.yaml:6:3: .*{OUTSIDE}"):
        await plan_configuration(remote, documents)
    with pytest.raises(LockstepError, match=OUTSIDE):
        await apply_configuration(remote, documents)


async def test_whether_a_file_outside_the_folder_exists_is_not_told(remote: Context, folder: Path) -> None:
    sentences = []
    for name in ("outside.csv", "missing.csv"):
        with pytest.raises(LockstepError) as refused:
            await save_source(remote, "spy", kind="csv", config=csv(folder.parent / name))
        sentences.append(refused.value.detail.replace(name, "FILE"))

    assert sentences[0] == sentences[1]


async def test_files_below_the_folder_are_read_and_a_relative_path_starts_there(remote: Context, folder: Path) -> None:
    write_csv(folder / "hr" / "people.csv", [person("anna")])

    await save_source(remote, "staff", kind="csv", config=csv("hr/people.csv"))
    done = await import_source(remote, "staff")
    await apply_configuration(remote, yaml("hr/people.csv", name="staff"))

    assert done[0].created == 1
    stored = (await show_source(remote, "staff")).source.config["files"][0]["path"]
    assert stored == str(folder / "hr" / "people.csv")
    assert (await plan_configuration(remote, yaml(stored, name="staff"))).changes == ()


async def test_file_that_became_a_link_out_of_the_folder_is_not_read(remote: Context, folder: Path) -> None:
    file = write_csv(folder / "people.csv", [person("anna")])
    await save_source(remote, "staff", kind="csv", config=csv("people.csv"))
    await import_source(remote, "staff")
    file.unlink()
    file.symlink_to(folder.parent / "outside.csv")
    system = replace(remote, actor=Actor("system"))

    for read in (import_source, rehearse_import):
        with pytest.raises(LockstepError, match=OUTSIDE):
            await read(system, "staff")
    with pytest.raises(LockstepError, match=OUTSIDE):
        await rekey_source(remote, "staff", "userPrincipalName")

    await rename_source(remote, "staff", "moved")
    with pytest.raises(LockstepError, match=OUTSIDE):
        await import_source(system, "moved")
    assert OUTSIDE in (await show_source(remote, "moved")).failure


async def test_operator_of_the_machine_names_any_file_and_a_worker_reads_it(
    operator: Context, remote: Context, folder: Path
) -> None:
    await save_source(operator, "staff", kind="csv", config=csv(folder.parent / "outside.csv"))

    done = await import_source(replace(operator, actor=Actor("system")), "staff")

    assert done[0].created == 1


async def test_administrator_changes_how_an_operators_file_is_read_but_adds_no_other_file(
    operator: Context, remote: Context, folder: Path
) -> None:
    outside, other = folder.parent / "outside.csv", write_csv(folder.parent / "other.csv", [person("bo")])
    await save_source(operator, "staff", kind="csv", config=csv(outside))

    await save_source(remote, "staff", kind="csv", config=csv(outside) | {"every": "PT15M"}, replaces=True)
    with pytest.raises(LockstepError, match=OUTSIDE):
        await save_source(remote, "staff", kind="csv", config=csv(outside, other), replaces=True)
    with pytest.raises(LockstepError, match=OUTSIDE):
        await save_source(remote, "second", kind="csv", config=csv(outside))

    assert (await import_source(remote, "staff"))[0].created == 1


async def test_files_outside_the_folder_are_listed(operator: Context, folder: Path) -> None:
    write_csv(folder / "people.csv", [person("anna")])
    await save_source(operator, "near", kind="csv", config=csv(folder / "people.csv"))
    await save_source(operator, "far", kind="csv", config=csv(folder.parent / "outside.csv"))
    await save_source(operator, "linked", kind="csv", config=csv(folder / "link.csv"))

    assert [(one.source, Path(one.path).name) for one in await files_outside(operator)] == [
        ("far", "outside.csv"),
        ("linked", "link.csv"),
    ]
