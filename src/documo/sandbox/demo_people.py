"""Made-up people for a sandbox. The same seed always gives the same people."""

from __future__ import annotations

import random

from documo.identifiers import new_id
from documo.search_document import search_document
from documo.store import resources
from documo.store.database import Store
from documo.store.resources import ResourceColumns
from documo.store.round_trip import one_trip
from lockstep.scim.registry import default_registry

GIVEN = ("Anna", "Piotr", "Lee", "Kim", "Sofia", "Omar", "Ingrid", "Mateo", "Aiko", "Noah", "Zoë", "Ravi")
FAMILY = (
    "Lindqvist",
    "Nowak",
    "Wong",
    "Berg",
    "Rossi",
    "Haddad",
    "Dahl",
    "García",
    "Tanaka",
    "Müller",
    "Okafor",
    "Patel",
)
BATCH = 1000
USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"


async def add_people(store: Store, tenant_id: int, number: int, *, seed: int) -> None:
    """Add *number* people to the tenant."""
    chance = random.Random(seed)  # noqa: S311 -- repeatable on purpose
    definition = default_registry().resource("User")
    for begin in range(0, number, BATCH):
        items = []
        for at in range(begin, min(begin + BATCH, number)):
            given, family = chance.choice(GIVEN), chance.choice(FAMILY)
            name = f"user{at + 1}@sandbox.example"
            document = {
                "schemas": [USER_URN],
                "userName": name,
                "externalId": f"ext-{at + 1}",
                "name": {"givenName": given, "familyName": family},
                "displayName": f"{given} {family}",
                "emails": [{"value": name, "type": "work", "primary": True}],
                "active": True,
            }
            columns = ResourceColumns(
                name, f"ext-{at + 1}", f"{given} {family}".casefold(), True, None, search_document(document, definition)
            )
            items.append(resources.item_of(new_id(), document, columns))
        await one_trip(store, tenant_id, [resources.create(tenant_id, "User", items, hold_days=None)])
