"""The authorities that outgoing connections trust."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from lockstep.http.tls import tls_context
from tests.support.target_servers import Authority


def trusted(context: ssl.SSLContext) -> int:
    return context.cert_store_stats()["x509_ca"]


def pem_of(folder: Path) -> bytes:
    folder.mkdir()
    return Authority(folder).certificate.public_bytes(serialization.Encoding.PEM)


def test_authorities_are_read_once_and_again_when_their_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "authorities.pem"
    file.write_bytes(pem_of(tmp_path / "first"))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = tls_context()

    assert tls_context() is context
    assert trusted(context) == 1

    file.write_bytes(file.read_bytes() + pem_of(tmp_path / "second"))

    assert trusted(tls_context()) == 2


def test_further_authorities_are_trusted_only_where_their_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "more.pem"
    file.write_bytes(pem_of(tmp_path / "more"))

    assert trusted(tls_context(str(file))) == trusted(tls_context()) + 1


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["missing", "empty", "text"])
def test_file_without_authorities_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "more.pem"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(OSError):
        tls_context(str(file))
