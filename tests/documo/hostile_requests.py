"""Requests designed to be expensive: names, filters, lists and bodies of the largest allowed size, each different from all before it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from lockstep.scim.registry import default_registry
from tests.support.documo_client import ENTERPRISE, GROUP, PATCH, USER

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
OPERATORS = ("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le")


@dataclass(frozen=True)
class HostileRequest:
    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    has_key: bool = True


class Hostile:
    """Generates requests; the same *seed* gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._serial = 0
        user = default_registry().resource("User")
        self._names = [
            name
            for attribute in user.attributes
            for name in (attribute.name, *(f"{attribute.name}.{sub.name}" for sub in attribute.sub_attributes))
        ]
        self._kinds: list[Callable[[], HostileRequest]] = [
            self._unknown_names,
            self._attribute_list,
            self._filter,
            self._sort,
            self._patch_paths,
            self._patch_values,
            self._agent,
            self._wrong_key,
            self._wrong_secret,
            self._path,
            self._cursor,
            self._host,
            self._events,
        ]
        self._slow_kinds: list[Callable[[], HostileRequest]] = [
            self._search,
            self._many_operations,
            self._deep,
            self._long_values,
            self._bulk,
            self._group,
        ]

    def draw(self) -> HostileRequest:
        """Only one in ten is slow, so that many fit in a minute."""
        return self._random.choice(self._slow_kinds if self._random.random() < 0.1 else self._kinds)()

    def _new(self, size: int) -> str:
        """A text of about *size* characters, different from all before it."""
        self._serial += 1
        letters = self._random.choice(("x", "é", "Ab", "_"))
        return f"n{self._serial}n{letters * (size // len(letters))}"

    def _size(self) -> int:
        return self._random.choice((1, 20, 200, 250, 2_000, 15_000))

    def _name(self) -> str:
        odd = self._new(self._size())
        name = self._random.choice(self._names)
        shuffled = "".join(self._random.choice((letter.upper(), letter.lower())) for letter in name)
        return self._random.choice((odd, shuffled, f"{name}.{odd}", f"urn:{odd}:2.0:User:a", f"{ENTERPRISE}:{odd}"))

    def _comparison(self) -> str:
        operator = self._random.choice(OPERATORS)
        name = self._random.choice((*self._names, self._name()))
        return f'{name} {operator} "{self._new(self._random.choice((1, 20, 200, 1_000)))}"'

    def _filter_text(self) -> str:
        joined = self._random.choice((" and ", " or ")).join(
            self._comparison() for _ in range(self._random.choice((1, 1, 3, 12, 48)))
        )
        return self._random.choice((joined, f"not ({joined})", f"emails[{joined}]", "(" * 12 + joined + ")" * 12))[
            :15_000
        ]

    @staticmethod
    def _get(path: str, **query: str) -> HostileRequest:
        text = "&".join(f"{name}={quote(value)}" for name, value in query.items())
        return HostileRequest("GET", f"{path}?{text}"[:45_000] if text else path)

    def _json(self, method: str, path: str, body: Any) -> HostileRequest:
        return HostileRequest(method, path, orjson.dumps(body)[:1_000_000])

    def _user(self, **more: Any) -> dict[str, Any]:
        return {"schemas": [USER], "userName": f"hostile{self._random.randrange(500)}@x.example", **more}

    def _unknown_names(self) -> HostileRequest:
        size = self._random.choice((20, 250, 2_000, 2_000, 20_000, 200_000))
        return self._json("POST", "/Users", self._user(**{self._new(size): "x"}))

    def _attribute_list(self) -> HostileRequest:
        names = ",".join(self._name() for _ in range(self._random.choice((1, 5, 40))))
        return self._get("/Users", **{self._random.choice(("attributes", "excludedAttributes")): names, "count": "1"})

    def _filter(self) -> HostileRequest:
        return self._get(self._random.choice(("/Users", "/Groups", "/")), filter=self._filter_text(), count="2")

    def _search(self) -> HostileRequest:
        body = {
            "schemas": [SEARCH],
            "filter": self._filter_text(),
            "attributes": [self._name() for _ in range(20)],
            "count": 2,
        }
        return self._json("POST", "/.search", body)

    def _sort(self) -> HostileRequest:
        return self._get("/Users", sortBy=self._name(), count="1")

    def _patch(self, operations: list[Any]) -> HostileRequest:
        return self._json("PATCH", "/Users/*", {"schemas": [PATCH], "Operations": operations})

    def _patch_paths(self) -> HostileRequest:
        path = self._random.choice((self._name(), f"emails[{self._comparison()}].value"))
        return self._patch([{"op": "replace", "path": path, "value": self._new(20)}])

    def _patch_values(self) -> HostileRequest:
        return self._patch([{"op": "add", "value": {self._name(): self._new(100), "title": self._new(self._size())}}])

    def _many_operations(self) -> HostileRequest:
        one = {"op": "add", "path": f'emails[type eq "{self._new(5)}"].value', "value": "a@b.example"}
        return self._patch([one] * self._random.choice((100, 2_000)))

    def _deep(self) -> HostileRequest:
        depth = self._random.choice((10, 31, 40, 400_000))
        return HostileRequest("POST", "/Users", b'{"a":' * depth + b"1" + b"}" * depth)

    def _long_values(self) -> HostileRequest:
        return self._json("POST", "/Users", self._user(title=self._new(900_000)))

    def _bulk(self) -> HostileRequest:
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": self._new(200), "data": self._user()} for _ in range(30)
        ]
        return self._json("POST", "/Bulk", {"schemas": [BULK], "Operations": operations})

    def _agent(self) -> HostileRequest:
        return HostileRequest("GET", "/Users?count=0", headers={"User-Agent": f"agent{self._serial}" + "u" * 30_000})

    def _wrong_key(self) -> HostileRequest:
        self._serial += 1
        return HostileRequest(
            "GET", "/Users", headers={"Authorization": f"Bearer {self._serial}" + "k" * 20_000}, has_key=False
        )

    def _wrong_secret(self) -> HostileRequest:
        body = f"grant_type=client_credentials&client_id=x&client_secret={self._new(9_000)}".encode()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return HostileRequest("POST", "//oauth/token", body, headers=form, has_key=False)

    def _host(self) -> HostileRequest:
        return HostileRequest(
            "GET", "/Users?count=0", headers={"Host": f"h{self._serial}.{self._random.randrange(10**9)}.example"}
        )

    def _events(self) -> HostileRequest:
        body = orjson.dumps({"ack": [self._new(30) for _ in range(500)], "returnImmediately": True})
        return HostileRequest("POST", f"//events/{self._serial}", body, headers={"Content-Type": "application/json"})

    def _path(self) -> HostileRequest:
        return HostileRequest("GET", f"/{quote(self._new(10_000))}")

    def _cursor(self) -> HostileRequest:
        return self._get("/Users", cursor=self._new(5_000))

    def _group(self) -> HostileRequest:
        members = [{"value": self._new(30)} for _ in range(self._random.choice((1, 1_000)))]
        return self._json(
            "POST", "/Groups", {"schemas": [GROUP], "displayName": f"g{self._random.randrange(50)}", "members": members}
        )
