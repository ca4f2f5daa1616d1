"""Sources through the API: register, upload, try, import, runs."""

from __future__ import annotations

from pathlib import Path

from tests.api.conftest import Answer, Client
from tests.support.hub import person, write_csv

FILE = "no,mail address,surname\n1,zoe@x.test,Zoe\n2,yan@x.test,Yan\n"


async def send(client: Client, text: str, *, source: str = "staff") -> Answer:
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "text/csv"}
    url = f"{client.origin}/api/v1/sources/{source}/uploads?fileName=staff.csv"
    async with client.http.post(url, data=text.encode(), headers=headers) as response:
        return Answer(response.status, dict(response.headers), await response.json(content_type=None))


async def test_a_file_is_uploaded_tried_and_imported_once(client: Client) -> None:
    upload = (await send(client, FILE)).body["id"]
    reading = {"map": {"mail address": "userPrincipalName", "no": "id"}}

    unreadable = await client.finished(f"uploads/{upload}/rehearse")
    await client.call("PUT", f"uploads/{upload}/reading", reading)
    tried = (await client.finished(f"uploads/{upload}/rehearse")).body["result"]
    before = await client.get("sources/staff")
    first = await client.finished(f"uploads/{upload}/import", mark=tried["rehearsal"]["mark"])
    again = await client.finished(f"uploads/{upload}/import", mark=tried["rehearsal"]["mark"])
    runs = await client.get("sources/staff/runs")

    assert unreadable.body["state"] == "failed" and "userPrincipalName" in unreadable.body["error"]["detail"]
    assert [one["name"] for one in tried["rehearsal"]["passes"][0]["changes"]] == ["zoe@x.test", "yan@x.test"]
    assert before.status == 404 and first.body["state"] == "succeeded" and first.body["result"] == again.body["result"]
    assert [one["fileName"] for one in runs.body["items"]] == ["staff.csv"]
    run = await client.get(f"sources/staff/runs/{runs.body['items'][0]['id']}")
    assert run.body["passes"][0]["created"] == 2


async def test_a_source_is_registered_renamed_and_an_outdated_dry_run_is_refused(
    client: Client, tmp_path: Path
) -> None:
    write_csv(tmp_path / "sources" / "more.csv", [person("ola")])

    made = await client.post("sources", {"name": "more", "files": [{"path": "more.csv"}], "every": "PT15M"})
    unreadable = await client.post("sources", {"name": "none", "files": [{"path": "none.csv"}]})
    renamed = await client.post("sources/more/rename", {"name": "yet-more"})
    upload = (await send(client, FILE.replace("mail address", "userPrincipalName"))).body["id"]
    refused = await client.finished(f"uploads/{upload}/import", mark="none")
    gone = await client.call("DELETE", f"uploads/{upload}")

    assert made.status == 201 and made.body["people"] == 0 and unreadable.status in (400, 404)
    assert renamed.body["name"] == "yet-more" and refused.body["error"]["status"] == 409
    assert gone.status == 200 and (await client.get(f"uploads/{upload}")).status == 404


async def test_a_file_that_is_too_large_leaves_nothing_behind(client: Client) -> None:
    empty = await send(client, "")

    assert empty.status == 400
    assert await client.hub.fetch("select count(*) from source_upload") == [(0,)]


async def test_a_file_is_not_read_as_json_whatever_it_says_it_is(client: Client) -> None:
    """Five megabytes of nested lists would take a hundred, for everybody with a token."""
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    url = f"{client.origin}/api/v1/sources/staff/uploads?fileName=staff.csv"

    async with client.http.post(url, data=b'{"not json', headers=headers) as response:
        assert response.status == 201


async def test_a_file_with_a_long_name_in_any_script_is_kept_and_read(client: Client) -> None:
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "text/csv"}
    url = f"{client.origin}/api/v1/sources/staff/uploads"

    async with client.http.post(url, params={"fileName": "社" * 190}, data=FILE.encode(), headers=headers) as response:
        upload = (await response.json())["id"]

    assert (await client.get(f"uploads/{upload}")).status == 200
