"""Bodies and parameters that several routes share."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from lockstep.engine.records import ObjectKind


class Body(BaseModel):
    """The body of a request. Unknown members are refused, so that a misspelt setting is not silently ignored."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


Name = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Text = Annotated[str, StringConstraints(max_length=4000)]
Names = Annotated[list[Name], Field(max_length=1000)]
AppName = Annotated[str, Path(description="Name or id of the application", examples=["documo"], max_length=400)]
NEXT_LOOK = {"Retry-After": "1"}  # seconds until the next poll
KindName = Literal["user", "group"]
KINDS = {"user": ObjectKind.USER, "group": ObjectKind.GROUP}


def rooted(request: Request, path: str) -> str:
    """Return the address of *path* below the API, for Location and links."""
    return f"{request.scope.get('root_path', '')}{path}"
