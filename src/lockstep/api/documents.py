"""The description of the API: OpenAPI 3.1 for programs, one page for people, and one page for each type of problem.

The pages are generated from the description. They work without scripts and load nothing from other servers.
"""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from lockstep.api.problem_types import PROBLEM_TYPES, ProblemType
from lockstep.api.problems import MEDIA_TYPE, Problem

INTRODUCTION = """What the admin centre and the `lockstep` command do, over HTTP.

Send a token as `Authorization: Bearer lockstep_pat_...`. Errors are RFC 9457 problems. Lists take `limit`, `cursor`, `filter`,
`sort` and `fields`.
Changes that concern people take `dryRun=true`, and `confirm=true` where people lose accounts. Configuration has an ETag.
"""
_BEFORE_SIGN_IN = frozenset({"sign_in"})  # there is no caller yet, and repeated requests are stored for a caller
_METHODS = ("get", "post", "put", "patch", "delete")
# Added here and not to each route. For a route, FastAPI would build a model of each problem, which would more than double the start time.
_PROBLEMS = {
    str(status): {
        "description": " / ".join(one.title for one in PROBLEM_TYPES.values() if one.status == status),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in sorted({one.status for one in PROBLEM_TYPES.values()})
}
_OF_TYPE: dict[str, Any] = {"string": "text", "integer": 1, "number": 1, "boolean": False, "object": {}}
Endpoint = Callable[[Request], Awaitable[Response]]


def describe(app: FastAPI) -> None:
    """Make `app.openapi` return the complete description, which includes authentication, conditions and the media type of problems."""
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(_described(app))
        return made

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation does


def _described(app: FastAPI) -> dict[str, Any]:
    described = get_openapi(
        title=app.title, version=app.version, openapi_version="3.1.0", description=app.description,
        routes=app.routes, servers=app.servers,
    )  # fmt: skip
    described["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A personal or service token: `lockstep token create`"},
        "session": {
            "type": "apiKey", "in": "cookie", "name": "__Host-lockstep_session",
            "description": "The session of the admin centre. Changes need X-CSRF-Token. "
            "Over http, the cookie's name has no prefix: lockstep_session",
        },
    }  # fmt: skip
    described["security"] = [{"token": []}, {"session": []}]
    schemas = described["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)  # FastAPI's schema of a refused request; ours is a problem document
    problem = TypeAdapter(Problem).json_schema(ref_template="#/components/schemas/{model}")
    schemas.update({**problem.pop("$defs"), "Problem": problem})
    for path in described["paths"].values():
        for method in _METHODS:
            if method in path:
                _complete(path[method], method)
    return described


def _complete(operation: dict[str, Any], method: str) -> None:
    operation["responses"].pop("422", None)
    operation["responses"].update(_PROBLEMS)
    if method == "post" and operation["operationId"] not in _BEFORE_SIGN_IN:
        meaning = "A request that is repeated with the same key within 24 hours gets the first response"
        operation.setdefault("parameters", []).append(_header("Idempotency-Key", meaning))


def _header(name: str, meaning: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": meaning,
        "schema": {"type": "string", "maxLength": 200},
    }


def openapi_of(app: FastAPI) -> Endpoint:
    async def answer(_: Request) -> Response:
        return Response(orjson.dumps(app.openapi()), media_type="application/json")

    return answer


def page_of(app: FastAPI) -> Endpoint:
    async def answer(_: Request) -> Response:
        return HTMLResponse(_page("Lockstep API", "\n".join(_operations(app.openapi()))))

    return answer


async def problem_list(_: Request) -> Response:
    rows = "".join(
        f'<li><a href="/problems/{one.slug}">{html.escape(one.title)}</a> ({one.status})</li>'
        for one in PROBLEM_TYPES.values()
    )
    return HTMLResponse(_page("Types of problems", f"<ul>{rows}</ul>"))


async def problem_page(request: Request) -> Response:
    known = PROBLEM_TYPES.get(request.path_params["slug"])
    if known is None:
        return HTMLResponse(_page("Unknown type of problem", '<p><a href="/problems">All types</a></p>'), 404)
    return HTMLResponse(_page(known.title, _problem(known)))


def _problem(one: ProblemType) -> str:
    return f"<p>HTTP status {one.status}, type <code>/problems/{one.slug}</code></p><p>{html.escape(one.meaning)}</p>"


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
        f"<body><main><h1>{html.escape(title)}</h1>\n{body}\n</main></body></html>\n"
    )


def _operations(described: dict[str, Any]) -> Iterator[str]:
    yield "".join(f"<p>{html.escape(part)}</p>" for part in described["info"]["description"].split("\n\n"))
    yield '<p>For programs: <a href="/api/openapi.json">/api/openapi.json</a> (OpenAPI 3.1).</p>'
    yield '<p>Errors: <a href="/problems">types of problems</a>.</p>'
    tag = ""
    for path, operations in described["paths"].items():
        for method in _METHODS:
            operation = operations.get(method)
            if operation is None:
                continue
            if operation["tags"][0] != tag:
                tag = operation["tags"][0]
                yield f"<h2>{html.escape(tag)}</h2>"
            yield from _operation(method, path, operation, described)


def _operation(method: str, path: str, operation: dict[str, Any], described: dict[str, Any]) -> Iterator[str]:
    yield f'<section id="{operation["operationId"]}"><h3><code>{method.upper()} /api/v1{html.escape(path)}</code></h3>'
    yield f"<p>{html.escape(operation.get('description') or operation['summary'])}</p>"
    parameters = operation.get("parameters", [])
    if parameters:
        rows = "".join(
            f"<tr><td><code>{html.escape(one['name'])}</code></td><td>{one['in']}</td>"
            f"<td>{html.escape(one.get('description', ''))}</td></tr>"
            for one in parameters
        )
        yield f"<table><thead><tr><th>Parameter</th><th>In</th><th>Meaning</th></tr></thead><tbody>{rows}</tbody></table>"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body is not None:
        yield f"<p>Body:</p><pre>{html.escape(orjson.dumps(example_of(body, described), option=orjson.OPT_INDENT_2).decode())}</pre>"
    yield "</section>"


def example_of(schema: dict[str, Any], described: dict[str, Any]) -> Any:
    """Return an example for *schema*: the schema's own example if it has one. Otherwise the example is built from the schema's members. For
    a schema without members, it is built from the default or the type.

    A member is included if it has an example or is required. References are looked up in *described*, the complete description.
    """
    if "$ref" in schema:
        return example_of(described["components"]["schemas"][schema["$ref"].rpartition("/")[2]], described)
    if schema.get("examples"):
        return schema["examples"][0]
    if "properties" in schema:
        shown = {
            name: one
            for name, one in schema["properties"].items()
            if one.get("examples") or name in schema.get("required", [])
        }
        return {name: example_of(one, described) for name, one in shown.items()}
    if "default" in schema:
        return schema["default"]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], described)
    if schema.get("type") == "array":
        return [example_of(schema["items"], described)]
    return schema.get("enum", [_OF_TYPE.get(schema.get("type", ""))])[0]
