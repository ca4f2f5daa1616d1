"""The way in which an uploaded file would be read, as JSON."""

from __future__ import annotations

from typing_extensions import TypedDict

from lockstep.actions.uploads import UploadView


class UploadColumnJson(TypedDict):
    """*meaning* is the attribute that the column becomes, or "" if it is ignored. *samples* are its first values."""

    name: str
    meaning: str
    samples: list[str]
    isKey: bool


class ReadingProblemJson(TypedDict):
    detail: str
    why: str
    nextStep: str


class UploadShapeJson(TypedDict):
    """An uploaded file, and how it would be read. *kind* is "people", "groups" or "members"; "" if the kind is unknown. *isNew* is true if
    no source of this name is registered. *key* is the column that identifies people; "" if none was chosen. *stable* is a column that would
    be a better key; "" if there is none. *problem* says why the file cannot be imported in this way.
    """

    id: str
    source: str
    isNew: bool
    key: str
    kind: str
    encoding: str
    delimiter: str
    columns: list[UploadColumnJson]
    notes: list[str]
    stable: str
    problem: ReadingProblemJson | None


def upload_shape_json(view: UploadView) -> UploadShapeJson:
    shape = view.shape
    problem = shape.problem
    return {
        "id": view.upload.id,
        "source": view.upload.source,
        "isNew": view.is_new,
        "key": view.key,
        "kind": str(shape.kind or ""),
        "encoding": shape.encoding,
        "delimiter": shape.delimiter,
        "columns": [
            {"name": one.name, "meaning": one.meaning, "samples": list(one.samples), "isKey": one.is_key}
            for one in shape.columns
        ],
        "notes": [*([shape.note] if shape.note else []), *shape.notes],
        "stable": shape.stable,
        "problem": {"detail": problem.detail, "why": problem.why, "nextStep": problem.next_step} if problem else None,
    }
