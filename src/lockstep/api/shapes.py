"""Bodies and parameters that several routes share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from lockstep.api.problem_types import PROBLEM_TYPES
from lockstep.api.problems import Problem
from lockstep.engine.records import ObjectKind


class Body(BaseModel):
    """A request's body. A member that is not known is refused: a typing error must not be a setting that is silently ignored."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


Name = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Text = Annotated[str, StringConstraints(max_length=4000)]
Names = Annotated[list[Name], Field(max_length=1000)]
AppName = Annotated[str, Path(description="Name or id of the application", examples=["documo"], max_length=400)]
KindName = Literal["user", "group"]
KINDS = {"user": ObjectKind.USER, "group": ObjectKind.GROUP}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": " / ".join(one.title for one in PROBLEM_TYPES.values() if one.status == status),
        "model": Problem,
    }
    for status in sorted({one.status for one in PROBLEM_TYPES.values()})
}
