"""Handing a message to a mail server over real sockets: what arrives, and what each failure says."""

from __future__ import annotations

import asyncio
import socket
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiosmtplib import SMTPResponseException

from lockstep.http.outbound import Blocked
from lockstep.mail import delivery
from lockstep.mail.addresses import is_host, mail_address
from lockstep.mail.delivery import MailSecurity, MailServer, deliver
from lockstep.mail.failures import MailFailure, MailStep, failure_of
from lockstep.mail.message import MailText, OutgoingMessage, as_html, as_text
from tests.support.mail_sink import PASSWORD, USER, mail_sink, new_authority

HOSTILE = 'Documo\r\nBcc: eve@evil.test\r\n\r\n<script>alert(1)</script> "x" \x00'


def admit(*_: object) -> None:
    """Allow every address."""


def server(port: int, security: MailSecurity = MailSecurity.NONE, **more: str) -> MailServer:
    return MailServer("localhost", port, security, "lockstep@contoso.test", admit, **more)


def message(subject: str = "Documo: 1 object fails", recipient: str = "it@contoso.test") -> OutgoingMessage:
    text = MailText(subject, (f"About {subject}",), ("a point",), "https://id.contoso.test/apps")
    return OutgoingMessage(
        "0193", "lockstep@contoso.test", recipient, subject, as_text(text), as_html(text), datetime.now(UTC)
    )


async def failure(to: MailServer, mail: OutgoingMessage | None = None) -> MailFailure:
    with pytest.raises(MailFailure) as failed:
        await deliver(to, mail or message())
    return failed.value


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, Path]:
    context, ca = new_authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    return context, ca


async def test_message_arrives_with_text_and_html_and_says_that_it_is_automatic() -> None:
    async with mail_sink() as sink:
        await deliver(server(sink.port), message())

    [mail] = sink.messages
    assert sink.recipients == ["it@contoso.test"]
    assert mail["Subject"] == "Documo: 1 object fails"
    assert mail["From"] == "Lockstep <lockstep@contoso.test>"
    assert mail["Message-ID"] == "<0193@contoso.test>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().splitlines()[0] == "About Documo: 1 object fails"


async def test_hostile_name_adds_no_header_no_recipient_and_no_markup() -> None:
    async with mail_sink() as sink:
        await deliver(server(sink.port), message(HOSTILE))

    [mail] = sink.messages
    assert mail["Bcc"] is None
    assert sink.recipients == ["it@contoso.test"]
    assert mail["Subject"] == 'Documo Bcc: eve@evil.test <script>alert(1)</script> "x"'
    html, text = mail.get_body(("html",)), mail.get_body(("plain",))
    assert html is not None and text is not None
    assert text.get_content().splitlines()[0] == 'About Documo Bcc: eve@evil.test <script>alert(1)</script> "x"'
    assert "<script>" not in html.get_content()


@pytest.mark.parametrize(
    "text",
    [
        "a@b.test\r\nBcc: c@d.test", "a@b.test, c@d.test", "<a@b.test>", '"a b"@c.test', "a@b.test>", "@b.test", "a@",
        "a@-b.test", "a b@c.test", "a..b@c.test", "a@b..test", "a@b.test\x00", f"{'a' * 65}@b.test", "ä@b.test",
        "=?utf-8?q?a=0D=0AX?=@b.test",
    ],
)  # fmt: skip
def test_address_that_is_more_than_an_address_is_none(text: str) -> None:
    assert mail_address(text) == ""


async def test_encoded_word_in_a_name_adds_no_header_and_no_text() -> None:
    async with mail_sink() as sink:
        await deliver(server(sink.port), message("=?utf-8?q?a=0D=0ABcc:_eve@evil.test=0D=0A=0D=0Afake?="))

    [mail] = sink.messages
    assert mail["Bcc"] is None
    assert mail["Message-ID"] == "<0193@contoso.test>"
    assert mail["Subject"] == "= ?utf-8?q?a=0D=0ABcc:_eve@evil.test=0D=0A=0D=0Afake?="


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("smtp.contoso.com", True), ("10.0.0.1", True), ("::1", True), ("mail_1.internal", True), ("", False),
        ("a..b", False), (f"{'a' * 64}.test", False), ("smtp.contoso.com:25", False), ("a b", False), ("a\nb", False),
        (".".join(["abcdefg"] * 40), False),
    ],
)  # fmt: skip
def test_host_has_a_form_that_can_be_looked_up(text: str, is_one: bool) -> None:
    assert is_host(text) is is_one


def test_domain_is_sent_in_ascii() -> None:
    assert mail_address(" it@bücher.example ") == "it@xn--bcher-kva.example"


async def test_password_is_sent_only_after_starttls(trusted: tuple[object, Path]) -> None:
    async with mail_sink(context=trusted[0], needs_sign_in=True) as sink:  # type: ignore[arg-type]
        await deliver(server(sink.port, MailSecurity.STARTTLS, user=USER, password=PASSWORD), message())

    assert sink.users == [USER]
    assert sink.is_encrypted == [True]


async def test_tls_from_the_first_byte(trusted: tuple[object, Path]) -> None:
    async with mail_sink(context=trusted[0], is_tls=True) as sink:  # type: ignore[arg-type]
        await deliver(server(sink.port, MailSecurity.TLS), message())

    assert len(sink.messages) == 1


async def test_server_without_starttls_gets_nothing_unencrypted() -> None:
    async with mail_sink() as sink:
        found = await failure(server(sink.port, MailSecurity.STARTTLS, user=USER, password=PASSWORD))

    assert (found.step, found.is_final) == (MailStep.ENCRYPTION, False)
    assert "does not offer STARTTLS" in found.sentence
    assert sink.messages == []


async def test_untrusted_certificate_is_refused_and_explained(tmp_path: Path) -> None:
    context, _ = new_authority(tmp_path)
    async with mail_sink(context=context) as sink:
        found = await failure(server(sink.port, MailSecurity.STARTTLS))

    assert found.step is MailStep.ENCRYPTION
    assert "authority that this machine does not trust" in found.sentence
    assert "SSL_CERT_FILE" in found.remedy


async def test_certificate_of_another_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, ca = new_authority(tmp_path, names=("elsewhere.test",))
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    async with mail_sink(context=context, is_tls=True) as sink:
        found = await failure(server(sink.port, MailSecurity.TLS))

    assert found.sentence == "The TLS certificate is not for localhost"


async def test_plain_port_with_tls_names_the_other_security() -> None:
    async with mail_sink() as sink:
        found = await failure(server(sink.port, MailSecurity.TLS))

    assert "starttls" in found.remedy


async def test_refused_password_is_explained_and_not_repeated(trusted: tuple[object, Path]) -> None:
    async with mail_sink(context=trusted[0]) as sink:  # type: ignore[arg-type]
        found = await failure(server(sink.port, MailSecurity.STARTTLS, user=USER, password="wrong secret"))

    assert (found.step, found.is_final) == (MailStep.SIGN_IN, False)
    assert "answered 535" in found.sentence
    assert "wrong secret" not in found.sentence + found.remedy


@pytest.mark.parametrize(
    "sent", ["\0ada\0correct horse", "\0ada\0corr", "correct horse", "correct h", "ada 5f4dcc3b5aa765d6"]
)
def test_server_that_repeats_what_was_sent_to_sign_in_does_not_reveal_it(sent: str) -> None:
    repeated = b64encode(sent.encode()).decode()
    refusal = SMTPResponseException(500, f"Unknown command AUTH {repeated} (correct horse), Authentication failed")

    found = failure_of(refusal, MailStep.SIGN_IN, "mail.test", 587, hidden=("ada", "correct horse"))

    assert found.sentence == "mail.test answered 500: Unknown command AUTH *** (***), Authentication failed"


async def test_certificate_of_another_name_is_refused_after_starttls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, ca = new_authority(tmp_path, names=("elsewhere.test",))
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    async with mail_sink(context=context) as sink:
        found = await failure(server(sink.port, MailSecurity.STARTTLS, user=USER, password=PASSWORD))

    assert found.sentence == "The TLS certificate is not for localhost"
    assert (sink.users, sink.messages) == ([], [])


async def serve_bytes(given: bytes) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(given)
        await reader.read()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


@pytest.mark.parametrize(
    "given",
    [
        b"220-endless\r\n" * 100_000,
        b"x" * 1_000_000,
        b"\xff\xfe\x00\r\n",
        b"220 \xff\r\n999 \xff\r\n",
        b"HTTP/1.1 400 Bad\r\n\r\n",
    ],
)
async def test_hostile_answer_ends_in_a_short_printable_sentence(given: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "COMMAND_SECONDS", 0.5)
    async with await serve_bytes(given) as hostile:
        found = await failure(server(hostile.sockets[0].getsockname()[1]))

    assert len(found.sentence) < 400
    assert found.sentence.isprintable()


async def test_server_that_is_silent_is_given_up_and_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "COMMAND_SECONDS", 0.05)
    async with await serve_bytes(b"") as silent:
        found = await failure(server(silent.sockets[0].getsockname()[1]))

    assert found.step is MailStep.GREETING
    assert "did not answer in time" in found.sentence


async def test_refused_connection_is_explained() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        found = await failure(server(unused.getsockname()[1]))

    assert found.step is MailStep.CONNECTION
    assert "refuses connections" in found.sentence


@pytest.mark.parametrize(
    ("stage", "answer", "step", "is_final"),
    [
        ("MAIL", "550 You may not", MailStep.SENDER, False), ("RCPT", "550 No such user", MailStep.RECIPIENT, True),
        ("RCPT", "450 Greylisted", MailStep.RECIPIENT, False), ("DATA", "554 Spam", MailStep.MESSAGE, True),
        ("DATA", "451 Later", MailStep.MESSAGE, False),
    ],
)  # fmt: skip
async def test_only_final_refusals_of_recipient_or_message_are_final(
    stage: str, answer: str, step: MailStep, is_final: bool
) -> None:
    async with mail_sink() as sink:
        sink.refuses = lambda at, address: answer if at == stage else ""
        found = await failure(server(sink.port))

    assert (found.step, found.is_final) == (step, is_final)
    assert answer[:3] in found.sentence


async def test_address_that_the_rules_refuse_is_not_connected_to() -> None:
    def refuse(*_: object) -> None:
        raise Blocked("localhost resolves to 127.0.0.1", "allow it")

    async with mail_sink() as sink:
        found = await failure(MailServer("localhost", sink.port, MailSecurity.NONE, "a@b.test", refuse))

    assert (found.step, found.remedy) == (MailStep.ADDRESS, "allow it")


async def test_server_that_hangs_up_is_explained() -> None:
    hung_up = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with hung_up:
        found = await failure(server(hung_up.sockets[0].getsockname()[1]))

    assert "ended the connection" in found.sentence
