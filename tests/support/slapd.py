"""A slapd of Debian with a few people, over TLS and without, on loopback.

with running(folder, key) as directory:
    directory.url, directory.tls_url, directory.ca
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BASE, BIND_DN, BIND_PASSWORD = "dc=contoso,dc=test", "cn=reader,dc=contoso,dc=test", "the password of the reader"
PASSWORD = "a sentence in the directory"
_GIVE_UP_SECONDS = 30
_CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
database mdb
suffix "{base}"
rootdn "{bind_dn}"
rootpw "{bind_password}"
directory {folder}/data
"""


@dataclass(frozen=True)
class Slapd:
    url: str
    tls_url: str
    ca: str


def person(uid: str, mail: str) -> str:
    return f"dn: uid={uid},{BASE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\nmail: {mail}\nuserPassword: {PASSWORD}\n"


@contextmanager
def running(folder: Path, people: list[str]) -> Iterator[Slapd]:
    (folder / "data").mkdir()
    ca = write_certificate(folder, "127.0.0.1")
    config = folder / "slapd.conf"
    config.write_text(
        _CONFIGURATION.format(folder=folder, base=BASE, bind_dn=BIND_DN, bind_password=BIND_PASSWORD), encoding="utf-8"
    )
    root = f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Contoso\ndc: contoso\n"
    ldif = "\n".join([root, *people])
    subprocess.run(["/usr/sbin/slapadd", "-f", config], input=ldif, text=True, check=True, capture_output=True)
    plain, tls = _free_port(), _free_port()
    found = Slapd(f"ldap://127.0.0.1:{plain}", f"ldaps://127.0.0.1:{tls}", ca)
    with (folder / "slapd.log").open("wb") as log:
        server = subprocess.Popen(
            ["/usr/sbin/slapd", "-f", config, "-h", f"{found.url} {found.tls_url}", "-d", "0"], stdout=log, stderr=log
        )
    try:
        _wait_for(plain, server)
        yield found
    finally:
        server.terminate()
        server.wait(timeout=_GIVE_UP_SECONDS)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _GIVE_UP_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            continue
        return
    raise AssertionError("slapd does not listen")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def write_certificate(folder: Path, address: str) -> str:
    """Write a self-signed certificate for *address*, valid for a day, to server.pem in *folder*, and its key to server.key. Returns the
    certificate in PEM form.
    """
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "slapd")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = made.public_bytes(serialization.Encoding.PEM)
    (folder / "server.pem").write_bytes(pem)
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem.decode()
