"""A process that uses the server of a data folder until it is told to leave, is interrupted, or is killed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lockstep.postgres.embedded import Options, attach
from lockstep.postgres.programs import Programs


def main() -> None:
    said: list[str] = []
    programs = Programs(Path(sys.argv[2]), Path(sys.argv[2]).parent) if sys.argv[2:] else None
    server = attach(Path(sys.argv[1]), options=Options(programs=programs, durable=False), say=said.append)
    facts = {
        "postmaster": server.postmaster.pid,
        "sockets": str(server.postmaster.socket_folder),
        "cluster": str(server.cluster),
        "conninfo": server.database("lockstep").conninfo,
        "said": said,
    }
    try:
        print(json.dumps(facts), flush=True)
        sys.stdin.readline()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    finally:
        server.leave()


if __name__ == "__main__":
    main()
