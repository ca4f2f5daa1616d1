"""Hand a message to a mail server (SMTP, RFC 5321), step by step, so that an error can name the step that failed and what to do about it.

The password is sent only over an encrypted connection or to this machine. If encryption is required and the server does not offer it,
nothing is sent.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address

from aiosmtplib import SMTP, SMTPException

from lockstep.http.outbound import Admit
from lockstep.http.tls import tls_context
from lockstep.mail.failures import MailStep, failure_of
from lockstep.mail.message import OutgoingMessage, as_bytes

COMMAND_SECONDS = 20.0  # for one answer
DELIVERY_SECONDS = 90.0  # for the whole message
# Raises Blocked if the address of the server (host, port, address) must not be used.
# Receives every step that passed, with a sentence and the seconds that it took.
OnStep = Callable[[MailStep, str, float], None]


class MailSecurity(StrEnum):
    """The encryption of the connection to a mail server. The values of this enumeration are stored, so they must not change."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class MailServer:
    """The server to which Lockstep hands mail. Without *user*, Lockstep does not sign in. *sender* is the address in the header From."""

    host: str
    port: int
    security: MailSecurity
    sender: str
    admit: Admit
    user: str = ""
    password: str = field(default="", repr=False)


def _unwatched(step: MailStep, sentence: str, seconds: float) -> None:
    """Ignore the progress of a delivery."""


async def deliver(server: MailServer, message: OutgoingMessage, *, on_step: OnStep = _unwatched) -> None:
    """Hand over *message*. Returns once the server has accepted the message; raises MailFailure otherwise.

    If the server's last response was lost, the server may have accepted the message although MailFailure is raised.
    """
    dialogue = _Dialogue(server, on_step)
    try:
        async with asyncio.timeout(DELIVERY_SECONDS), dialogue.connected() as client:
            await dialogue.hand_over(client, message)
    except (OSError, SMTPException, TimeoutError) as failed:
        hidden = (server.user, server.password)
        raise failure_of(failed, dialogue.step, server.host, server.port, hidden=hidden) from None


class _Dialogue:
    """The dialogue with one server. *step* is the present step."""

    def __init__(self, server: MailServer, on_step: OnStep) -> None:
        self.step = MailStep.ADDRESS
        self._server = server
        self._on_step = on_step
        self._since = time.monotonic()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[SMTP]:
        server = self._server
        client = SMTP(
            hostname=server.host,
            local_hostname=server.sender.rpartition("@")[2],
            use_tls=server.security is MailSecurity.TLS,
            start_tls=False,
            tls_context=tls_context(),
            timeout=COMMAND_SECONDS,
            sock=await self._opened(),
        )
        try:
            await self._greeted(client)
            yield client
        finally:
            client.close()

    async def _opened(self) -> socket.socket:
        """Connect to the server. If one of the addresses of its name is not admitted, the name is refused altogether, because it may
        resolve differently later.
        """
        server, loop = self._server, asyncio.get_running_loop()
        known = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
        for *_, place in known:
            server.admit(server.host, server.port, ip_address(str(place[0]).partition("%")[0]))
        addresses = list(dict.fromkeys(str(place[0]) for *_, place in known))
        is_name = addresses != [server.host]
        self._passed(
            f"{server.host} has the address {', '.join(addresses)}"
            if is_name
            else f"Lockstep may connect to {server.host}",
            MailStep.CONNECTION,
        )
        failures: list[OSError] = []
        for family, kind, protocol, _, place in known:
            opened = socket.socket(family, kind, protocol)
            opened.setblocking(False)
            try:
                async with asyncio.timeout(COMMAND_SECONDS):
                    await loop.sock_connect(opened, place)
            except (OSError, TimeoutError) as failure:
                opened.close()
                failures.append(failure)
            except BaseException:
                opened.close()
                raise
            else:
                return opened
        raise failures[0] if failures else OSError("The host name has no address")

    async def _greeted(self, client: SMTP) -> None:
        server = self._server
        is_tls = server.security is MailSecurity.TLS
        following = MailStep.ENCRYPTION if is_tls else MailStep.GREETING
        self._passed(f"{server.host} accepts connections on port {server.port}", following)
        await client.connect()
        if is_tls:
            self._passed(f"The connection uses TLS, and the certificate of {server.host} is trusted", MailStep.GREETING)
        await client.ehlo()
        self._passed(f"{server.host} answers on port {server.port} as a mail server", MailStep.ENCRYPTION)
        if server.security is MailSecurity.STARTTLS:
            await client.starttls()
            await client.ehlo()
            self._passed(
                f"The connection uses STARTTLS, and the certificate of {server.host} is trusted", MailStep.SIGN_IN
            )
        if server.user:
            self.step = MailStep.SIGN_IN
            await client.login(server.user, server.password)
            self._passed(f"{server.host} accepts the user name and password", MailStep.SENDER)
        self.step = MailStep.SENDER

    async def hand_over(self, client: SMTP, message: OutgoingMessage) -> None:
        data = as_bytes(message)
        await client.mail(message.sender)
        self._passed(f"The server accepts the sender {message.sender}", MailStep.RECIPIENT)
        await client.rcpt(message.recipient)
        self._passed(f"The server accepts the recipient {message.recipient}", MailStep.MESSAGE)
        await client.data(data)
        self._passed("The server accepted the message", MailStep.MESSAGE)
        try:
            await client.quit()
        except (OSError, SMTPException, TimeoutError):
            return  # the message was accepted

    def _passed(self, sentence: str, following: MailStep) -> None:
        now = time.monotonic()
        self._on_step(self.step, sentence, now - self._since)
        self.step, self._since = following, now
