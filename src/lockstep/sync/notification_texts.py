"""The texts of the notification mails. Pure: facts in, text out.

A mail contains the application's name, numbers and reasons, but names no people. To see their names, readers follow the link in the mail or
run the command in it. Names and values of people are removed from the reasons.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lockstep.engine.decisions.digest_time import DIGEST_TIME
from lockstep.engine.decisions.quarantine import QuarantineReason, effect_in_words
from lockstep.mail.message import MailSection, MailText
from lockstep.storage.digest_notices import WaitingNotice
from lockstep.wording import counted

MOST_REASONS = 3
_LONGEST_REASON = 300
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”")
_EMAIL = re.compile(r"[^\s\"'<>(),;]+@[^\s\"'<>(),;]+")
_LEFT_OUT = "…"


@dataclass(frozen=True, slots=True)
class ReportedApplication:
    """The application that a mail is about. *address* is Lockstep's public address. *organisation* and *address* are "" if they are not
    set.
    """

    app: str
    display_name: str
    organisation: str = ""
    address: str = ""

    def subject(self, text: str) -> str:
        start = f"[{self.organisation}] " if self.organisation else ""
        return f"{start}{self.display_name}: {text}"

    def link(self, path: str) -> str:
        return f"{self.address}{path}" if self.address else ""


@dataclass(frozen=True, slots=True)
class FailureReason:
    """Objects that fail for the same reason. The texts come from one of these objects, and *names* are the names and identifiers of that
    object.
    """

    count: int
    reason: str
    next_step: str
    names: Sequence[str] = ()


def quarantine_began(about: ReportedApplication, quarantine: Mapping[str, Any], *, unreported: int = 0) -> MailText:
    """Return the mail about an application that enters quarantine, or whose quarantine has a new reason. *unreported* is the number of
    earlier quarantines that no mail has reported, because they ended too soon.
    """
    error = quarantine.get("error") or {}
    message = without_names(str(error.get("message", "")))
    more = (
        (
            f"Since the last mail, it was in quarantine {counted(unreported, 'more time')}, each time for less than an hour.",
        )
        if unreported
        else ()
    )
    return MailText(
        about.subject("provisioning is in quarantine"),
        (
            f"Provisioning of {about.display_name} is in quarantine since {_time(quarantine['currentBegan'])}.",
            f"Reason: {_sentence(message)}",
            effect_in_words(QuarantineReason(quarantine["reason"])),
            f"Next: {_sentence(_next(error.get('nextStep'), f'See: lockstep status {about.app}'))}",
            *more,
            f"Lockstep tries again at {_time(quarantine['nextAttempt'])}. You get another mail when the quarantine ends.",
        ),
        link=about.link(f"/apps/{about.app}/provisioning/quarantine"),
    )


def quarantine_ended(about: ReportedApplication, quarantine: Mapping[str, Any], now: datetime) -> MailText:
    """Return the mail about an application that leaves quarantine."""
    return MailText(
        about.subject("provisioning left quarantine"),
        (
            f"Provisioning of {about.display_name} left quarantine at {_time(now.isoformat())}. "
            f"It began at {_time(str(quarantine.get('seriesBegan') or quarantine['currentBegan']))}.",
            "Lockstep now processes the changes that waited. You do not have to do anything.",
        ),
        link=about.link(f"/apps/{about.app}/provisioning"),
    )


def objects_fail(about: ReportedApplication, total: int, reasons: Sequence[FailureReason]) -> MailText:
    """Return the mail about objects that keep failing, with the most frequent reasons."""
    verb = "fails" if total == 1 else "fail"
    points = []
    for one in reasons[:MOST_REASONS]:
        step = _next(one.next_step, "", names=one.names)
        text = (
            f"{counted(one.count, 'object')}: {_sentence(without_names(one.reason, one.names) or 'No reason is known')}"
        )
        points.append(f"{text} Next: {_sentence(step)}" if step else text)
    shown = sum(one.count for one in reasons[:MOST_REASONS])
    more = (
        (f"{counted(total - shown, 'object')} {'has' if total - shown == 1 else 'have'} other reasons.",)
        if total > shown
        else ()
    )
    summary = f"{counted(total, 'object')} {verb}"
    return MailText(
        about.subject(summary),
        (
            f"{counted(total, 'object')} could not be provisioned in {about.display_name} for at least an hour.",
            *more,
            f"Lockstep keeps trying. See which objects: lockstep logs --app {about.app} --status failure",
        ),
        tuple(points),
        about.link("/logs/provisioning/failures"),
        summary=summary,
    )


def changes_held(about: ReportedApplication, total: int, losses: int) -> MailText:
    """Return the mail about changes that a guard holds until an administrator decides. *losses* is how many of the changes end access."""
    wait = "waits" if total == 1 else "wait"
    ends = f", {losses:,} of which would disable or delete an account" if losses else ""
    summary = f"{counted(total, 'change')} {wait} for approval"
    return MailText(
        about.subject(summary),
        (
            f"Lockstep holds back {counted(total, 'change')} in {about.display_name}{ends}. "
            "None of them is sent until an administrator approves it.",
            f"Approve or reject them on the page of held changes, or with: lockstep deletes list {about.app}",
        ),
        link=about.link(f"/apps/{about.app}/provisioning/held"),
        summary=summary,
    )


def certificate_ends(about: ReportedApplication, sentence: str, ends_at: datetime, next_step: str) -> MailText:
    """Return the mail that reports the approaching expiry of a signing certificate."""
    return MailText(
        about.subject("a signing certificate expires soon"),
        (_sentence(sentence), f"Expiration: {_time(ends_at.isoformat())}.", f"Next: {_sentence(next_step)}"),
        link=about.link(f"/apps/{about.app}/sso/certificates"),
    )


def digest(
    about: ReportedApplication, notices: Sequence[tuple[str, Sequence[WaitingNotice]]], *, is_last: bool
) -> MailText:
    """Return the daily digest. *notices* are headings with their notices, newest first. *is_last* is true if the notifications of the
    application are mailed at once from now on.
    """
    newest = "; ".join(some[0].summary for _, some in notices)
    end = (
        f"The notifications of {about.display_name} are sent at once from now on. This digest contains those that waited."
        if is_last
        else f"A digest is sent at {DIGEST_TIME} if there is something to report; a quarantine is reported at once. "
        f"To get every notification at once: lockstep settings {about.app} --notification-delivery immediate"
    )
    return MailText(
        about.subject(f"daily digest: {newest}"),
        (
            f"Notifications about the provisioning of {about.display_name}, newest first. Each describes the state at its time.",
            end,
        ),
        sections=tuple(_digest_section(heading, some) for heading, some in notices),
    )


def _digest_section(heading: str, notices: Sequence[WaitingNotice]) -> MailSection:
    newest, *earlier = notices
    first, *rest = newest.paragraphs
    return MailSection(
        heading,
        (f"{_noted(newest)}: {first}", *rest),
        tuple(newest.points),
        newest.link,
        tuple(f"{_noted(one)}: {one.summary}" for one in earlier),
    )


def _noted(notice: WaitingNotice) -> str:
    return _time(notice.written_at.astimezone(UTC).isoformat())


def without_names(text: str, names: Sequence[str] = ()) -> str:
    """Return *text* without the values that may identify people: *names*, e-mail addresses, and everything in quotation marks."""
    plain = " ".join(text.split())
    for name in sorted((one for one in names if len(one) > 2), key=len, reverse=True):
        plain = plain.replace(name, _LEFT_OUT)
    plain = _EMAIL.sub(_LEFT_OUT, _QUOTED.sub(_LEFT_OUT, plain))
    return plain if len(plain) <= _LONGEST_REASON else plain[: _LONGEST_REASON - 1].rstrip() + _LEFT_OUT


def _next(step: object, otherwise: str, *, names: Sequence[str] = ()) -> str:
    return without_names(str(step or ""), names) or otherwise


def _sentence(text: str) -> str:
    plain = text.strip()
    return plain if not plain or plain.endswith((".", "!", "?", _LEFT_OUT)) else f"{plain}."


def _time(text: str) -> str:
    return f"{datetime.fromisoformat(text):%H:%M UTC on %-d %B %Y}"
