"""Write docs/reference/lockstep.schema.json, the JSON Schema of configuration files; with `--check`, only report whether it is up to
date.
"""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from lockstep.configuration.files.schema import json_schema

TARGET = Path(__file__).resolve().parents[1] / "docs" / "reference" / "lockstep.schema.json"


def generated() -> bytes:
    return orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def main() -> int:
    text = generated()
    if "--check" in sys.argv[1:]:
        if TARGET.exists() and TARGET.read_bytes() == text:
            return 0
        print(f"{TARGET.name} is not up to date: python scripts/generate_configuration_schema.py", file=sys.stderr)
        return 1
    TARGET.write_bytes(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
