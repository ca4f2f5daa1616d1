"""Read every account from Documo through its SCIM API and compare each attribute with what the CSV files require.

Shares no code with provisioning: neither the engine nor the target nor their HTTP client. Reads only a Documo on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp

from lockstep.cli.up.expectations import Expectation
from lockstep.errors import unreachable

PAGE = 200


@dataclass(slots=True)
class VerificationResult:
    """The number of compared accounts, the number of compared attributes, and the differences. Each difference has the person, the path,
    the expected value and the observed value.
    """

    accounts: int = 0
    attributes: int = 0
    mismatches: list[dict[str, Any]] = field(default_factory=list)


class ScimAccountReader:
    """Documo's SCIM API, read only."""

    def __init__(self, base_url: str, token: str) -> None:
        self.base_url = base_url
        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})

    async def close(self) -> None:
        await self._session.close()

    async def everybody(self) -> dict[str, Mapping[str, Any]]:
        """Return all accounts by lower-case user name. Raises LockstepError if the listing is inconsistent."""
        return {account["userName"].lower(): account for account in await self.listing()}

    async def listing(self) -> list[Mapping[str, Any]]:
        """Return all accounts in the order of the listing. Raises LockstepError if the listing is inconsistent."""
        found: list[Mapping[str, Any]] = []
        start, total = 1, None
        while total is None or start <= total:
            page = await self.read(f"/Users?startIndex={start}&count={PAGE}")
            total = int(page["totalResults"])
            resources = page.get("Resources", [])
            if not resources and start <= total:
                raise unreachable(f"Documo reported {total} accounts but listed {len(found)}")
            found += resources
            start += len(resources)
        return found

    async def one(self, user_name: str) -> Mapping[str, Any] | None:
        """Return the account with this user name, or None."""
        escaped = user_name.replace("\\", "\\\\").replace('"', '\\"')
        page = await self.read("/Users?filter=" + quote(f'userName eq "{escaped}"'))
        return next(iter(page.get("Resources", [])), None)

    async def read(self, path: str) -> Any:
        async with self._session.get(self.base_url + path) as response:
            if response.status != 200:
                raise unreachable(f"Documo answered HTTP {response.status} to GET {path.split('?')[0]}")
            return await response.json(content_type=None)


def observed(account: Mapping[str, Any]) -> dict[str, Any]:
    """Return the account's values for the five attributes in the tutorial's table."""
    name = account.get("name") or {}
    primary = [role.get("value") for role in account.get("roles") or [] if role.get("primary")]
    return {
        "userName": account.get("userName"),
        "active": account.get("active"),
        "name.givenName": name.get("givenName"),
        "name.familyName": name.get("familyName"),
        "role": primary[0] if len(primary) == 1 else primary,
    }


def expected_values(expectation: Expectation) -> dict[str, Any]:
    return {
        "userName": expectation.user_name,
        "active": expectation.active,
        "name.givenName": expectation.given_name or None,
        "name.familyName": expectation.family_name or None,
        "role": expectation.role or [],
    }


def compare_everybody(
    expected: Mapping[str, Expectation], accounts: Mapping[str, Mapping[str, Any]], *, unmanaged: frozenset[str]
) -> VerificationResult:
    """Compare the attributes of every account in *accounts* with its expectation. Missing accounts are differences, too, and so are
    accounts that should not exist. *unmanaged* are Documo's own accounts, which are ignored.
    """
    verified = VerificationResult()
    for name, expectation in expected.items():
        account = accounts.get(name)
        if expectation.active is None:
            if account is not None:
                verified.mismatches.append(
                    {"person": name, "path": "", "expected": "no account", "observed": account["id"]}
                )
            continue
        if account is None:
            verified.mismatches.append({"person": name, "path": "", "expected": "an account", "observed": None})
            continue
        verified.accounts += 1
        holds = observed(account)
        for path, value in expected_values(expectation).items():
            verified.attributes += 1
            if holds[path] != value:
                verified.mismatches.append({"person": name, "path": path, "expected": value, "observed": holds[path]})
    for name in accounts.keys() - expected.keys() - unmanaged:
        verified.mismatches.append(
            {"person": name, "path": "", "expected": "no account", "observed": accounts[name]["id"]}
        )
    return verified
