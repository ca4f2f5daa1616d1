"""The private API of uvicorn that we use: a new release may change it, and then it must be reviewed."""

from __future__ import annotations

import hashlib
import inspect

import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from lockstep.serving.protocol import PRIVATE_API

# SHA-256 of the sources that serving/protocol.py was written against
KNOWN = "1f0ad26f71ba02a760f1965589e05ae7e93ec5eb5a25b6c0d796f71630a3a051"


def test_uvicorns_protocol_is_the_one_that_the_limits_were_written_for() -> None:
    sources = "".join(inspect.getsource(one) for one in (HttpToolsProtocol, RequestResponseCycle, FlowControl))
    assert hashlib.sha256(sources.encode()).hexdigest() == KNOWN, (
        "uvicorn changed its HTTP protocol: read the difference, see that tests/serving hold, and write the new digest here."
    )


def test_what_is_overridden_or_called_exists() -> None:
    overridden = {uvicorn.Server: ("startup", "main_loop", "shutdown", "capture_signals")}  # serving/server.py
    missing = [
        f"{owner.__name__}.{name}"
        for owner, names in (*PRIVATE_API.items(), *overridden.items())
        for name in names
        if not hasattr(owner, name)
    ]
    assert missing == []
