"""Read the given configuration files and the secrets to which they refer.

References are resolved only here, on the machine of the person who runs the command. A server never resolves references in a file that it
received.
"""

from __future__ import annotations

import os
import sys
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from pathlib import Path

from lockstep.configuration.files.file import ConfigDocument, read_documents
from lockstep.errors import CHECK_READING, invalid, not_found
from lockstep.vault import Secret

STDIN = "-"
ENDINGS = (".yaml", ".yml")


def read_files(names: Sequence[str]) -> tuple[ConfigDocument, ...]:
    """Return the documents in the files, in the YAML files of the folders, or on stdin (`-`). Raises LockstepError with file, line and
    column.
    """
    documents = tuple(
        document for name in names for file in files_of(name) for document in read_documents(text_of_file(file), file)
    )
    if not documents:
        holds = (
            f"{'Standard input' if names[0] == STDIN else names[0]} holds"
            if len(names) == 1
            else f"{', '.join(names)} hold"
        )
        raise invalid(
            f"{holds} no configuration document",
            next_step="Export the current configuration to a file: lockstep export --all",
        )
    return documents


def files_of(name: str) -> list[str]:
    """Return *name* itself or, for a folder, its YAML files. Raises LockstepError if it has none."""
    if name == STDIN or not Path(name).is_dir():
        return [name]
    found = sorted(str(path) for path in Path(name).iterdir() if path.suffix in ENDINGS)
    if not found:
        raise not_found(f"The folder {name} has no YAML files")
    return found


def text_of_file(name: str) -> str:
    """Return the text of a file, or of stdin (`-`). Raises LockstepError if it cannot be read."""
    try:
        data = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        # PowerShell 5 writes UTF-16 with a byte order mark.
        return data.decode("utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")
    except FileNotFoundError:
        raise not_found(f"There is no file {name}", next_step=_next_step(name)) from None
    except UnicodeDecodeError:
        raise invalid(f"{name} is neither UTF-8 nor UTF-16", next_step="Save it as UTF-8") from None
    except OSError as error:
        raise invalid(f"{name} cannot be read: {error.strerror}", next_step=CHECK_READING) from None


def _next_step(name: str) -> str:
    """Return the next step if the file *name* does not exist. A name without an extension may be the name of an application."""
    app = "APP" if Path(name).suffix else name
    return f"Check the path. Or create a file from the current configuration: lockstep export {app} > {app}.yaml"


def resolve_reference(reference: str) -> Secret | None:
    """Return the secret to which *reference* refers: `env:NAME` or `file:/path`. A newline at the end is removed. Returns None if there is
    no such secret, or if it is empty.
    """
    way, _, where = reference.partition(":")
    if way == "env":
        text = os.environ.get(where, "")
    else:
        try:
            text = Path(where).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
    text = text.rstrip("\r\n")
    return Secret(text) if text else None
