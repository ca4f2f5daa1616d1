"""Explain the error with which an application refused Lockstep's response: the cause, and what to check.

Applications show the reason only in the browser, and the wording depends on their library. Lockstep looks for typical words in the text
that an administrator copies from the application's page: a sentence, or an address with `error` and `error_description`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from lockstep.actions.person_sign_in.outcomes import meaning_of
from lockstep.actions.single_sign_on.compared_settings import ComparedSetting, value_in_lockstep
from lockstep.actions.single_sign_on.openid_error_words import OPENID_ERRORS
from lockstep.actions.single_sign_on.refusal_fixes import fixes_of
from lockstep.actions.single_sign_on.saml_error_words import SAML_ERRORS
from lockstep.actions.single_sign_on.settings import SignOnView
from lockstep.configuration.single_sign_on import SignOnMode

_CODE = re.compile(r"[A-Z][A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class ApplicationError:
    """The meaning of an error. *value* is Lockstep's value for the setting that the error concerns, or "" if it concerns no setting."""

    cause: str
    value: str
    next_step: str


def explain_error(text: str, view: SignOnView, subject: str) -> ApplicationError | None:
    """Return the meaning of *text*, or None if it is unknown. *text* is an error of the application, or contains the code of an entry of
    the sign-in log.
    """
    if found := _refusal(text, view, subject):
        return found
    said = unquote_plus(text).casefold()
    for words, cause, setting, next_step in _errors_of(view):
        if any(word in said for word in words):
            return _error(cause, setting, next_step, view, subject)
    return None


def _refusal(text: str, view: SignOnView, subject: str) -> ApplicationError | None:
    fixes = fixes_of(view.settings.mode)
    for code in _CODE.findall(text):
        if code in fixes:
            setting, next_step = fixes[code]
            return _error(meaning_of(code), setting, next_step, view, subject)
    return None


def _errors_of(view: SignOnView) -> Sequence[tuple[Sequence[str], str, ComparedSetting | None, str]]:
    return OPENID_ERRORS if view.settings.mode is SignOnMode.OIDC else SAML_ERRORS


def _error(
    cause: str, setting: ComparedSetting | None, next_step: str, view: SignOnView, subject: str
) -> ApplicationError:
    step = next_step.format(name=view.application.display_name, app=view.application.name)
    return ApplicationError(cause, value_in_lockstep(setting, view, subject) if setting else "", step)
