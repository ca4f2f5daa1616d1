"""Query a name server for TXT and CNAME records. TXT records prove who owns a domain; CNAME records show where it points.

A response with a different id or question is ignored. After a truncated response, the query is repeated over TCP. Only an empty response or
"no such name" means that there are no records. A name server that reports any other error is treated as if it had not responded.
"""

from __future__ import annotations

from contextlib import suppress

import dns.asyncquery
import dns.exception
import dns.inet
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver

from lockstep.errors import invalid, unreachable

TIMEOUT_SECONDS, TRIES = 2.0, 3


async def txt_records(name: str, *, name_server: str | None = None) -> list[str]:
    """Return the TXT records of *name*. The list is empty if it has none. Raises LockstepError if no name server responds."""
    return _texts(await _answer(name, "TXT", name_server))


async def cname_record(name: str, *, name_server: str | None = None) -> str:
    """Return the target of the CNAME record of *name*, or "" if it has none. Raises LockstepError if no name server responds."""
    answer = await _answer(name, "CNAME", name_server)
    found = [
        record.target.to_text(omit_final_dot=True)
        for records in answer.answer
        if records.rdtype == dns.rdatatype.CNAME and records.name == answer.question[0].name
        for record in records
    ]
    return found[0].lower() if found else ""


async def addresses_of(name: str, *, name_server: str | None = None) -> list[str]:
    """Return the addresses of *name*, IPv4 first. The list is empty if it has none. Raises LockstepError if no name server responds."""
    return [
        record.address
        for kind in ("A", "AAAA")
        for records in (await _answer(name, kind, name_server)).answer
        if records.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
        for record in records
    ]


async def _answer(name: str, kind: str, name_server: str | None) -> dns.message.Message:
    server = name_server or _system_name_server()
    address, port = _place_of(server)
    query = dns.message.make_query(name, kind)
    for _ in range(TRIES):
        with suppress(dns.exception.DNSException, OSError, EOFError):
            answer, _over_tcp = await dns.asyncquery.udp_with_fallback(
                query, address, TIMEOUT_SECONDS, port, ignore_unexpected=True, ignore_errors=True
            )
            if answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                return answer
    raise unreachable(f"The name server {server} did not respond", next_step="Try another one: --name-server ADDRESS")


def _place_of(server: str) -> tuple[str, int]:
    address, _, port = server.partition("#")
    is_port = not port or (port.isascii() and port.isdigit() and 0 < int(port) < 65536)
    if not is_port or not dns.inet.is_address(address):
        raise invalid(
            f"{server[:80]!r} is not the address of a name server", next_step="Write it as 192.0.2.1 or 192.0.2.1#5353"
        )
    return address, int(port or 53)


def _texts(answer: dns.message.Message) -> list[str]:
    return [
        b"".join(record.strings).decode("utf-8", "replace")
        for records in answer.answer
        if records.rdtype == dns.rdatatype.TXT
        for record in records
    ]


def _system_name_server() -> str:
    try:
        return str(dns.resolver.Resolver().nameservers[0])
    except dns.resolver.NoResolverConfiguration:
        return "127.0.0.1"
