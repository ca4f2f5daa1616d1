"""TLS for outgoing requests: which certificates are trusted, and how to explain a failure."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

_File = tuple[str, int, int, int]  # path, inode, size in bytes, time of the last change in nanoseconds


def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """Return a context for TLS 1.2 or newer. It checks certificates and host names against the system's authorities and those in *ca_file*.

    Reading the authorities costs about as much as a small request, so equal contexts are shared and must not be changed. After a file has
    changed, a new context is created. Raises OSError if the file cannot be read or contains no certificate.
    """
    found = ssl.get_default_verify_paths()
    system = _state(found.cafile) if found.cafile else None
    return _context(system, found.capath, _state(ca_file) if ca_file else None)


@lru_cache(maxsize=8)
def _context(system: _File | None, folder: str | None, more: _File | None) -> ssl.SSLContext:
    """Create a context that trusts the system's authorities and those in *more*.

    *system* and *folder* are the places where OpenSSL finds the system's authorities. They are used only as part of the cache key.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if more is not None:
        context.load_verify_locations(more[0])
    return context


def _state(file: str) -> _File:
    found = Path(file).stat()
    return file, found.st_ino, found.st_size, found.st_mtime_ns


def tls_sentence(failed: ssl.SSLError, host: str) -> tuple[str, str]:
    """Explain why the TLS connection to *host* failed, and what to do."""
    code = getattr(failed, "verify_code", 0)
    reason = str(getattr(failed, "verify_message", "") or failed.reason or "the handshake failed").rstrip(".")
    if code == 10:
        return f"The TLS certificate of {host} has expired", "Renew the certificate on the server"
    if code in (18, 19, 20, 21):
        return (
            f"The TLS certificate of {host} was issued by an authority that this machine does not trust",
            "Install the whole chain on the server, or add the authority to a CA file on this machine and name that file in SSL_CERT_FILE",
        )
    if code in (62, 64):
        return f"The TLS certificate is not for {host}", "Use the host name that the certificate was issued for"
    if code == 9:
        return f"The TLS certificate of {host} is not valid yet", "Check the clocks of both machines"
    return (
        f"Cannot establish a TLS connection to {host}: {reason.lower().replace('_', ' ')}",
        "The server must offer TLS 1.2 or newer with a valid certificate",
    )
