"""An Active Directory of Samba with a few people, on a separate loopback address. Its LDAP ports are fixed, so it needs root.

with running(folder, ["anna"]) as directory:
    directory.url, directory.tls_url, directory.ca
"""

from __future__ import annotations

import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.slapd import write_certificate

BASE, REALM, DOMAIN = "DC=contoso,DC=test", "CONTOSO.TEST", "CONTOSO"
READER, PASSWORD = f"CN=reader,CN=Users,{BASE}", "Winter in Lund 1"
_GIVE_UP_SECONDS = 60
_TOOL, _SERVER = "/usr/bin/samba-tool", "/usr/sbin/samba"


@dataclass(frozen=True)
class Samba:
    folder: Path
    host: str
    ca: str

    @property
    def url(self) -> str:
        return f"ldap://{self.host}"

    @property
    def tls_url(self) -> str:
        return f"ldaps://{self.host}"

    def tool(self, *arguments: str) -> None:
        """Run samba-tool on the database. Raises AssertionError with what it prints if it fails."""
        done = subprocess.run(
            [_TOOL, *arguments, "-H", f"tdb://{self.folder}/private/sam.ldb", "-s", f"{self.folder}/etc/smb.conf"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


@contextmanager
def running(folder: Path, people: Sequence[str]) -> Iterator[Samba]:
    host = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}.{secrets.randbelow(250) + 1}"
    found = Samba(folder / "ad", host, write_certificate(folder, host))
    (folder / "server.key").chmod(0o600)
    options = {
        "interfaces": f"{host}/8", "bind interfaces only": "yes", "server services": "ldap", "log file": f"{folder}/log.%m",
        "tls enabled": "yes", "tls keyfile": f"{folder}/server.key", "tls certfile": f"{folder}/server.pem", "tls cafile": "",
        "pid directory": f"{folder}", "ncalrpc dir": f"{folder}/rpc",
    }  # fmt: skip
    provision = [
        _TOOL, "domain", "provision", f"--targetdir={found.folder}", f"--realm={REALM}", f"--domain={DOMAIN}",
        "--server-role=dc", f"--adminpass={PASSWORD}", "--dns-backend=NONE", f"--host-ip={host}", "--host-name=dc1",
        *(f"--option={name}={value}" for name, value in options.items()),
    ]  # fmt: skip
    done = subprocess.run(provision, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    for name in ("reader", *people):
        found.tool("user", "create", name, PASSWORD, f"--mail-address={name}@mail.test")
    with (folder / "samba.log").open("wb") as log:
        command = [_SERVER, "-i", "-M", "single", "-s", f"{found.folder}/etc/smb.conf"]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        _wait_for(host, server, folder / "samba.log")
        yield found
    finally:
        server.terminate()
        server.wait(timeout=_GIVE_UP_SECONDS)


def _wait_for(host: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _GIVE_UP_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            with socket.create_connection((host, 636), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"Samba did not start: {log.read_text()[-2000:]}")
