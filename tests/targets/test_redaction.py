"""No secret in what is stored or shown, in any of five encodings."""

from __future__ import annotations

import base64
import logging
from urllib.parse import quote

import orjson
import pytest

from lockstep.engine.records import Account, Change, ObjectKind
from lockstep.ports import Answer, TargetError
from lockstep.targets.probing.connection import test_connection as probe_connection
from tests.support.target_servers import ERROR_URN, TOKEN, answering, serving, settings_for, target_at

USER = ObjectKind.USER
RAW = TOKEN.encode()
SPELLINGS = {
    "plain": TOKEN,
    "percent": quote(TOKEN, safe=""),
    "base64": base64.b64encode(RAW).decode(),
    "base64 inside": base64.b64encode(b"Bearer " + RAW).decode()[12:-8],
    "hex": RAW.hex(),
    "json": orjson.dumps(TOKEN).decode()[1:-1],
}
ECHOES = {
    "plain": TOKEN,
    "percent": quote(TOKEN, safe=""),
    "base64": base64.b64encode(RAW).decode(),
    "base64 header": base64.b64encode(b"Bearer " + RAW).decode(),
    "hex": RAW.hex().upper(),
    "url-safe base64": base64.urlsafe_b64encode(b"x" + RAW).decode(),
}


def everything(answer: Answer) -> str:
    """Everything of an answer that could be stored or shown."""
    shown = [answer.detail, answer.next_step, repr(answer)]
    for exchange in answer.exchanges:
        shown += [exchange.url, exchange.request_body, exchange.response_body, exchange.request_id, repr(exchange)]
    return "\n".join(shown)


def assert_clean(text: str) -> None:
    for name, spelling in SPELLINGS.items():
        assert spelling.lower() not in text.lower(), name


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
async def test_token_that_the_application_sends_back_is_not_kept(echo: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"schemas": [ERROR_URN], "detail": f"bad token {echo} given", "scimType": "invalidValue", "echo": [echo]}
    async with serving(answering(400, body)) as server, target_at(server.origin) as target:
        answers = [await target.create(USER, {"userName": "anna"}, operation_id="op")]
        try:
            await target.find(USER, "userName", TOKEN)
        except TargetError as failed:
            answers.append(failed.answer)
            assert_clean(str(failed))

    assert len(answers) == 2
    for answer in answers:
        assert_clean(everything(answer))
    assert_clean(caplog.text)


async def test_token_is_in_no_exchange_of_the_connection_test() -> None:
    body = {"schemas": [ERROR_URN], "detail": f"bad {TOKEN}"}
    async with serving(answering(401, body)) as server, target_at(server.origin) as target:
        probes = await probe_connection(settings_for(server.origin), target._sender._client)

    for probe in probes:
        text = f"{probe.sentence} {probe.remedy}"
        if probe.exchange is not None:
            text += f"{probe.exchange.url} {probe.exchange.request_body} {probe.exchange.response_body}"
        assert_clean(text)


async def test_settings_do_not_show_the_token() -> None:
    assert_clean(repr(settings_for("https://api.example.com")))


async def test_passwords_are_not_kept() -> None:
    body = {"id": "u1", "userName": "anna", "password": "hunter2-returned"}
    async with serving(answering(201, body)) as server, target_at(server.origin) as target:
        created = await target.create(USER, {"userName": "anna", "password": "hunter2-sent"}, operation_id="op")
        change = [Change("password", None, "hunter2-new")]
        updated = await target.update(USER, "u1", change, current=None, etag="", operation_id="op")

    assert b"hunter2-sent" in server.requests[0].body
    assert b"hunter2-new" in server.requests[1].body
    kept = "".join(e.request_body + e.response_body for e in (*created.exchanges, *updated.exchanges))
    assert "hunter2" not in kept
    assert "anna" in kept


async def test_redacted_values_are_written_but_not_kept() -> None:
    body = {"id": "u1", "displayName": "Very private"}
    async with serving(answering(200, body)) as server, target_at(server.origin) as target:
        change = [Change("displayName", "Old private", "Very private", redacted=True)]
        answer = await target.update(USER, "u1", change, current=None, etag="", operation_id="op")

    assert b"Very private" in server.requests[0].body
    assert answer.exchanges[0].request_body == (
        '{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],'
        '"Operations":[{"op":"replace","path":"displayName","value":"[Redact]"}]}'
    )
    assert answer.exchanges[0].response_body == '{"id":"u1","displayName":"[Redact]"}'


async def test_paths_redacted_by_the_settings_are_not_kept_on_create() -> None:
    more = {"redacted_paths": frozenset({"name.familyName"})}
    async with serving(answering(201, {"id": "u1"})) as server, target_at(server.origin, **more) as target:
        answer = await target.create(USER, {"userName": "anna", "name.familyName": "Lindqvist"}, operation_id="op")

    assert b"Lindqvist" in server.requests[0].body
    assert "Lindqvist" not in answer.exchanges[0].request_body


async def test_body_that_is_no_json_is_kept_as_its_size_only() -> None:
    async with serving(answering(502, text="<html>inner secrets</html>")) as server, target_at(server.origin) as target:
        answer = await target.create(USER, {"userName": "anna"}, operation_id="op")

    assert answer.exchanges[0].response_body == "(26 bytes that are not JSON)"


CANARY = "Yq5-CANARY-xyzzy"


@pytest.mark.parametrize(
    "path", ["password", "nickName", 'emails[type eq "work"].value', "name.givenName", "urn:x:User:badge"]
)
async def test_redacted_value_is_in_no_exchange_whatever_the_application_answers(path: str) -> None:
    body = {
        "schemas": [ERROR_URN],
        "detail": f"{CANARY} is not good enough",
        "nickName": "somebody-else-CANARY",
        "urn:x:User": {"badge": "somebody-else-CANARY"},
        "emails": [{"value": "somebody-else-CANARY"}],
        "name": {"givenName": "somebody-else-CANARY"},
        "password": "somebody-else-CANARY",
    }
    only = {"nickName": "nickName", "urn:x:User:badge": "urn:x:User"}.get(
        path, path.partition("[")[0].partition(".")[0]
    )
    answered = {name: value for name, value in body.items() if name in ("schemas", "detail", only)}
    redacted = {"redacted_paths": frozenset({path})}
    async with serving(answering(400, answered)) as server, target_at(server.origin, **redacted) as target:
        answers = [
            await target.create(USER, {"userName": "anna", path: CANARY}, operation_id="op"),
            await target.update(
                USER,
                "u1",
                [Change(path, "old-CANARY", CANARY)],
                current=Account(USER, "u1", {}),
                etag="",
                operation_id="o",
            ),
        ]
        try:
            await target.find(USER, path, CANARY)
        except TargetError as failed:
            answers.append(failed.answer)

    assert len(answers) == 3
    assert "CANARY" not in "".join(map(everything, answers))
