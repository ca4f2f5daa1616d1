"""Build a message: plain text and HTML with the same content.

The subject and the text may contain names from other systems, which are not trusted. Line breaks and control characters are removed from
the subject, so that no name can add a header. In the HTML, everything is escaped.

A name may contain an encoded word (RFC 2047). Python's package `email` would decode such a word in the subject, together with any line
breaks in the word. Encoded words in the subject are therefore broken up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

LONGEST_SUBJECT = 150
_POLICY = SMTP.clone(cte_type="7bit")
_STYLE = "font-family:sans-serif;font-size:15px;line-height:1.5;color:#1c1e21;max-width:36em"
_HEADING_STYLE = "font-size:17px;margin:1.5em 0 0.5em"


@dataclass(frozen=True, slots=True)
class MailSection:
    """A part of a message under its own heading. *points* are listed after the first paragraph, and *earlier* after everything else. *link*
    is an address for the reader to open, or "".
    """

    heading: str
    paragraphs: tuple[str, ...]
    points: tuple[str, ...] = ()
    link: str = ""
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MailText:
    """The content of a message. *points* and *sections* come after the first paragraph. *link* is an address for the reader to open, or "".
    *summary* says in a few words what the message is about, without the name of the application.
    """

    subject: str
    paragraphs: tuple[str, ...]
    points: tuple[str, ...] = ()
    link: str = ""
    sections: tuple[MailSection, ...] = ()
    summary: str = ""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message to one recipient. `mail_address` has checked both addresses. *id* stays the same if the message is sent again."""

    id: str
    sender: str
    recipient: str
    subject: str
    text: str
    html: str
    written_at: datetime


def one_line(text: str) -> str:
    """Return *text* as a subject: one line without control characters, at most `LONGEST_SUBJECT` characters long."""
    plain = _printable(text).replace("=?", "= ?")
    return plain if len(plain) <= LONGEST_SUBJECT else plain[: LONGEST_SUBJECT - 1].rstrip() + "…"


def as_text(mail: MailText) -> str:
    """Return the plain text of *mail*."""
    sections = [_section_as_text(one) for one in mail.sections]
    return "\n\n".join(_text_parts(mail.paragraphs, mail.points, mail.link, sections)) + "\n"


def _section_as_text(section: MailSection) -> str:
    heading = _printable(section.heading)
    parts = _text_parts(section.paragraphs, section.points, section.link)
    earlier = ["\n".join(["Earlier:", *(f"- {_printable(one)}" for one in section.earlier)])] if section.earlier else []
    return "\n\n".join([f"{heading}\n{'-' * len(heading)}", *parts, *earlier])


def _text_parts(
    paragraphs: Sequence[str], points: Sequence[str], link: str, after_first: Sequence[str] = ()
) -> list[str]:
    first, *rest = (_printable(one) for one in paragraphs)
    listed = "\n".join(f"- {_printable(one)}" for one in points)
    return [part for part in (first, listed, *after_first, *rest, link) if part]


def as_html(mail: MailText) -> str:
    """Return *mail* as a small HTML page without images, and without links other than *link* and those of the sections."""
    sections = [_section_as_html(one) for one in mail.sections]
    body = "\n".join(_html_parts(mail.paragraphs, mail.points, mail.link, sections))
    title = escape(one_line(mail.subject))
    return f'<!doctype html>\n<html lang="en"><head><title>{title}</title></head>\n<body style="{_STYLE}">\n{body}\n</body></html>\n'


def _section_as_html(section: MailSection) -> str:
    heading = f'<h2 style="{_HEADING_STYLE}">{escape(_printable(section.heading))}</h2>'
    earlier = [f"<p>Earlier:</p>{_html_list(section.earlier)}"] if section.earlier else []
    return "\n".join([heading, *_html_parts(section.paragraphs, section.points, section.link), *earlier])


def _html_parts(
    paragraphs: Sequence[str], points: Sequence[str], link: str, after_first: Sequence[str] = ()
) -> list[str]:
    first, *rest = (f"<p>{escape(_printable(one))}</p>" for one in paragraphs)
    opened = f'<p><a href="{escape(link)}">{escape(link)}</a></p>' if link else ""
    return [part for part in (first, _html_list(points), *after_first, *rest, opened) if part]


def _html_list(points: Sequence[str]) -> str:
    listed = "".join(f"<li>{escape(_printable(one))}</li>" for one in points)
    return f"<ul>{listed}</ul>" if listed else ""


def as_bytes(message: OutgoingMessage) -> bytes:
    """Return *message* in the form in which it is sent (RFC 5322), in ASCII. The message is marked as automatic, so that it gets no
    automatic replies (RFC 3834).
    """
    built = EmailMessage(policy=_POLICY)
    built["From"] = Address("Lockstep", addr_spec=message.sender)
    built["To"] = Address(addr_spec=message.recipient)
    built["Subject"] = one_line(message.subject)
    built["Date"] = format_datetime(message.written_at)
    built["Message-ID"] = f"<{message.id}@{message.sender.rpartition('@')[2]}>"
    built["Auto-Submitted"] = "auto-generated"
    built["X-Auto-Response-Suppress"] = "All"
    built.set_content(message.text, cte="quoted-printable")
    built.add_alternative(message.html, subtype="html", cte="quoted-printable")
    return built.as_bytes()


def _printable(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
