"""Failed deliveries: which step failed, why, and what to do about it."""

from __future__ import annotations

import re
import socket
import ssl
from base64 import b64decode
from collections.abc import Iterator
from enum import StrEnum

from aiosmtplib import SMTPException, SMTPResponseException

from lockstep.http.outbound import Blocked
from lockstep.http.tls import tls_sentence

_LONGEST_REPLY = 300
_BASE64 = re.compile(r"[A-Za-z0-9+/]{4,}={0,2}")


class MailStep(StrEnum):
    """The steps of a delivery, in their order. The values of this enumeration are shown to administrators."""

    ADDRESS = "Address of the server"
    CONNECTION = "Connection"
    GREETING = "Greeting"
    ENCRYPTION = "Encryption"
    SIGN_IN = "Sign-in"
    SENDER = "Sender"
    RECIPIENT = "Recipient"
    MESSAGE = "Message"


_FINAL = frozenset({MailStep.RECIPIENT, MailStep.MESSAGE})


class MailFailure(Exception):
    """Raised if a message was not handed over. *sentence* and *remedy* are safe to show. If *is_final* is true, sending the message again
    cannot help.
    """

    def __init__(self, step: StrEnum, sentence: str, remedy: str, *, is_final: bool = False) -> None:
        super().__init__(sentence)
        self.step = step
        self.sentence = sentence
        self.remedy = remedy
        self.is_final = is_final


def failure_of(
    failed: BaseException, step: MailStep, host: str, port: int, *, hidden: tuple[str, str] = ("", "")
) -> MailFailure:
    """Explain *failed*, which happened at *step*. *hidden* are the user name and the password. The result contains neither the password nor
    the encoded credentials.
    """
    place = f"{host}:{port}"
    causes = list(_causes(failed))
    for one in causes:
        if isinstance(one, Blocked):
            return MailFailure(step, str(one), one.next_step)
        if isinstance(one, ssl.SSLError):
            return MailFailure(MailStep.ENCRYPTION, *_tls(one, host, port))
        if isinstance(one, SMTPResponseException):
            return _refused(one, step, host, hidden)
    for one in causes:
        if isinstance(one, socket.gaierror):
            return MailFailure(step, f"The name {host} cannot be resolved", "Check the name of the mail server")
        if isinstance(one, TimeoutError):
            return MailFailure(step, f"{place} did not answer in time", _CHECK)
        if isinstance(one, ConnectionRefusedError):
            return MailFailure(step, f"{place} refuses connections", _CHECK)
    return _unsupported(failed, step, host, place)


_CHECK = "Check host, port and firewalls. Usual ports: 587 for STARTTLS, 465 for TLS, 25 for unencrypted"


def _unsupported(failed: BaseException, step: MailStep, host: str, place: str) -> MailFailure:
    is_refusal = isinstance(failed, SMTPException) and not isinstance(failed, OSError)
    if step is MailStep.ENCRYPTION and is_refusal:
        return MailFailure(
            step, f"{host} does not offer STARTTLS, so nothing was sent",
            "Use the STARTTLS port of the server (usually 587), or --security tls (usually on port 465)",
        )  # fmt: skip
    if step is MailStep.SIGN_IN and is_refusal:
        return MailFailure(
            step, f"{host} offers no sign-in that Lockstep supports (PLAIN, LOGIN, CRAM-MD5)",
            "Use --security starttls or tls. If the server needs no sign-in, remove the user name",
        )  # fmt: skip
    return MailFailure(step, f"{place} ended the connection", _CHECK)


def _tls(failed: ssl.SSLError, host: str, port: int) -> tuple[str, str]:
    if failed.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return f"{host}:{port} does not use TLS from the first byte", "Use --security starttls, usually on port 587"
    return tls_sentence(failed, host)


def _refused(failed: SMTPResponseException, step: MailStep, host: str, hidden: tuple[str, str]) -> MailFailure:
    reply = " ".join(str(failed.message).split())
    reply = "".join(letter for letter in reply if letter.isprintable())
    reply = _without_secrets(reply, *hidden)
    sentence = f"{host} answered {failed.code}: {reply[:_LONGEST_REPLY]}".rstrip(": ")
    remedies = {
        MailStep.SIGN_IN: "Check the user name, and enter the password again",
        MailStep.SENDER: "Use a from address that the server lets this user send from",
        MailStep.RECIPIENT: "Check the address. To relay mail to an address outside your organisation, the server may require a sign-in",
        MailStep.MESSAGE: "Ask the administrator of the mail server why it refuses the message",
    }
    remedy = remedies.get(step, "Check that this is a mail server that accepts messages from this machine")
    return MailFailure(step, sentence, remedy, is_final=step in _FINAL and failed.code >= 500)


def _without_secrets(reply: str, user: str, password: str) -> str:
    """Remove the password from *reply*, even if the server repeats the encoded credentials, completely or in part (RFC 4616, RFC 2195)."""
    if not password:
        return reply

    plain, digest = f"\0{user}\0".encode(), f"{user} ".encode()

    def hide(found: re.Match[str]) -> str:
        text = found[0].rstrip("=")
        whole = text[:-1] if len(text) % 4 == 1 else text
        sent = b64decode(whole + "=" * (-len(whole) % 4))
        is_secret = sent.startswith((plain, digest)) or password.encode().startswith(sent)
        return "***" if is_secret else found[0]

    return _BASE64.sub(hide, reply.replace(password, "***"))


def _causes(failed: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = failed
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__
