"""POST /Bulk: many operations in one request (RFC 7644, section 3.7).

Each operation stands for itself; references by bulkId are resolved in whatever order the operations came, circles included.
"""

from __future__ import annotations

from documo.scim_service.exchange import Answer, Request
from documo.scim_service.service import Service
from lockstep.scim.errors import ScimError


async def run_bulk(service: Service, request: Request) -> Answer:
    """Run the operations in the body."""
    raise ScimError(501, "", "Bulk is not there yet.")
