"""Compare Documo's SCIM service with scim2-server and scimmy-routers. Prints JSON; --markdown FILE writes the table.

    bench/scim_service.py                       all three, 2,000 and 20,000 people, less than four minutes
    bench/scim_service.py --only documo --grow-to 200000 --group-members 50000 --grow-seconds 600

Compare figures of one run only with each other.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import uvloop

import scim_servers
from scim_load import Limits, Load

SERVICES = {
    "documo": scim_servers.documo,
    "scim2-server": scim_servers.scim2_server,
    "scimmy-routers": scim_servers.scimmy,
}
QUESTIONS = {
    "filter_user_name": "filter userName eq",
    "list_100_by_index": "list of 100 by index",
    "list_100_by_cursor": "list of 100 by cursor",
    "patch_active": "PATCH active",
    "get": "GET by id",
}


def measure(names: Sequence[str], limits: Limits) -> dict[str, Any]:
    """One run: all services, one after the other, on the same machine."""
    results: dict[str, Any] = {}
    for name in names:
        try:
            results[name] = _measured(name, SERVICES[name](), limits)
        except scim_servers.NotHere as why:
            results[name] = {"skipped": str(why)}
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load_average": os.getloadavg()[0]}
    return {"machine": machine, "limits": vars(limits), "services": results}


def _measured(name: str, service: AbstractContextManager[scim_servers.Served], limits: Limits) -> dict[str, Any]:
    with service as served:
        say = lambda text: print(f"{name}: {text}", file=sys.stderr, flush=True)  # noqa: E731
        load = Load(served.base, served.token, limits, served.meter, name == "documo", say)
        return {"note": served.note, **uvloop.run(load.run())}


def table(run: Mapping[str, Any]) -> str:
    """The run as a Markdown table: responses per second, CPU per response, and failures."""
    services = run["services"]
    rows = _rows_of(services)
    lines = ["| | " + " | ".join(services) + " |", "|---" * (len(services) + 1) + "|"]
    lines += [f"| {title} | " + " | ".join(cells) + " |" for title, cells in rows]
    return "\n".join(lines) + "\n"


def _rows_of(services: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    every = list(services.values())
    rows = [("create", [_rate(s.get("create")) for s in every])]
    for block in ("at_users", "at_grown"):
        if block == "at_grown":
            rows.append(("grow", [_rate(s.get("grow")) for s in every]))
        rows.append(("**people stored**", [_text(s.get(block), "users") for s in every]))
        rows += [(title, [_rate((s.get(block) or {}).get(key)) for s in every]) for key, title in QUESTIONS.items()]
    for at in (0, 1):
        groups = [(s.get("groups") or [{}, {}])[at : at + 1] or [{}] for s in every]
        rows.append(("**members of the group**", [_text(g[0], "members") for g in groups]))
        for key, title in (
            ("add_one", "add one member"),
            ("remove_one", "remove one"),
            ("get_without_members", "GET without members"),
        ):
            rows.append((title, [_milliseconds(g[0].get(key)) for g in groups]))
    rows.append(
        ("memory of the service, grown", [f"{s['rss_grown_mb']:.0f} MB" if "rss_grown_mb" in s else "-" for s in every])
    )
    return rows


def _rate(row: Mapping[str, Any] | None) -> str:
    if not row or not row["answered"]:
        return "-"
    failed = f", {sum(row['failed'].values())} failed" if row["failed"] else ""
    return f"{row['per_second']:,.0f}/s ({row['cpu_ms']:.2f} ms CPU{failed})"


def _milliseconds(row: Mapping[str, Any] | None) -> str:
    return f"{row['p50_ms']:.1f} ms" if row and row["answered"] else "-"


def _text(block: Mapping[str, Any] | None, key: str) -> str:
    return f"{block[key]:,}" if block and key in block else "-"


def main() -> None:
    """Parse the arguments, measure, print."""
    default = Limits()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(SERVICES), help="may be given several times")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    for name, value in vars(default).items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value)
    given = vars(parser.parse_args())
    limits = Limits(**{name: given[name] for name in vars(default)})
    run = measure(given["only"] or list(SERVICES), limits)
    print(json.dumps(run, indent=2))
    if given["markdown"]:
        given["markdown"].write_text(table(run))


if __name__ == "__main__":
    main()
