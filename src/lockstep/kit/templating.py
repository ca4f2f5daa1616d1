"""Templates of a product together with the kit's macros (`{% from "kit/forms.html" import field %}`).

Everything is escaped. An unknown name in a template is an error, not an empty string.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from types import CodeType
from typing import Any

import orjson
from jinja2 import BytecodeCache, ChoiceLoader, PackageLoader, StrictUndefined, pass_eval_context
from jinja2.bccache import Bucket
from jinja2.filters import do_xmlattr
from jinja2.nodes import EvalContext
from markupsafe import Markup, escape

from lockstep.kit.chart_markup import CHARTS
from lockstep.kit.devices import device_name
from lockstep.kit.icons import icon
from lockstep.kit.page_steps import PageEnvironment, PageSteps
from lockstep.wording import counted, duration

_TIME_IN_TEXT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d) UTC")
_SIZES = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def new_environment(package: str, extra: Mapping[str, Any], *, steps: PageSteps | None = None) -> PageEnvironment:
    """Return the environment for the templates of *package*. *extra* are further globals. *steps* are the pages that replace commands in
    the next steps of errors.
    """
    environment = PageEnvironment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("lockstep.kit")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
        bytecode_cache=_compiled(package, steps),
    )
    environment.steps = steps
    environment.globals |= {"icon": icon, **CHARTS, **extra}
    environment.filters |= {
        "number": number,
        "counted": counted,
        "percent": percent,
        "ago": ago,
        "device_name": device_name,
        "at": at,
        "with_times": with_times,
        "duration": duration,
        "initials": initials,
        "sentence": sentence,
        "json": pretty_json,
        "breaks": breaks,
        "pattern": pattern,
        "xmlattr": xml_attributes,
        "file_size": file_size,
        "on_page": steps.on_page if steps else str,
    }
    return environment


class _CompiledTemplates(BytecodeCache):
    """Templates compiled in this process, shared by all environments with the same package and steps."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code


@cache
def _compiled(package: str, steps: PageSteps | None) -> _CompiledTemplates:
    """Return an empty cache for compiled templates. Templates compiled with other *steps* need another cache, because the filter *on_page*
    is applied to constants at compile time.
    """
    return _CompiledTemplates()


@pass_eval_context
def xml_attributes(context: EvalContext, values: Mapping[str, Any]) -> str:
    """Apply Jinja's filter *xmlattr*, but leave out attributes with the value False: HTML treats `autofocus="False"` as set."""
    return do_xmlattr(context, {name: value for name, value in values.items() if value is not False})


def pattern(word: object) -> str:
    """Return a value for the HTML attribute `pattern`: a regular expression that matches only *word*."""
    return re.sub(r"[\\^$.*+?()\[\]{}|/]", r"\\\g<0>", str(word))


def number(value: float) -> str:
    """Format a number: 1204 -> "1,204"."""
    return f"{value:,}"


def file_size(count: int) -> str:
    """Format a number of bytes as "512 bytes", "12 kB" or "3.4 MB"."""
    if count < 1_000:
        return counted(count, "byte")
    return f"{count / 1_000:,.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"


def percent(part: float, whole: float) -> str:
    """Format a share as "63%"; "0%" if the total is 0."""
    return f"{part / whole:.0%}" if whole else "0%"


def ago(moment: datetime | None, otherwise: str = "Never") -> Markup:
    """Return a `<time>` element such as "3 minutes ago" or "in 2 hours". If *moment* is None, return the text *otherwise*. The script of
    the page keeps the element up to date and adds the exact time.
    """
    if moment is None:
        return escape(otherwise)
    seconds = (datetime.now(UTC) - moment).total_seconds()
    length, unit = next(((size, unit) for size, unit in _SIZES if abs(seconds) >= size), (1, ""))
    amount = counted(round(abs(seconds) / length), unit) if unit else ""
    words = "now" if not unit else f"{amount} ago" if seconds >= 0 else f"in {amount}"
    return Markup('<time datetime="{}" data-relative>{}</time>').format(_iso(moment), words)


def at(moment: datetime | None, otherwise: str = "Never") -> Markup:
    """Return a `<time>` element with date and time. If *moment* is None, return the text *otherwise*. The server writes UTC; the script
    converts it to the reader's time zone.
    """
    if moment is None:
        return escape(otherwise)
    text = moment.astimezone(UTC).strftime("%d %b %Y, %H:%M:%S UTC")
    return Markup('<time datetime="{}" data-local>{}</time>').format(_iso(moment), text)


def with_times(text: str) -> Markup:
    """Return *text* with its times, such as "2026-11-29 08:15 UTC", as `<time>` elements that the script converts like those of `at`."""
    parts = _TIME_IN_TEXT.split(text)
    found = [datetime.fromisoformat(part).replace(tzinfo=UTC) for part in parts[1::2]]
    times = [
        Markup('<time datetime="{}" data-local>{} UTC</time>').format(_iso(one), f"{one:%Y-%m-%d %H:%M}")
        for one in found
    ]
    return Markup("").join(part for pair in zip(parts[::2], [*times, ""], strict=True) for part in pair)


def initials(name: str) -> str:
    """Return up to two letters for an avatar: "Anna Lindqvist" -> "AL". Returns "?" if *name* contains no letter or digit."""
    words = [word for word in name.replace("@", " ").replace(".", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "?"


def sentence(text: str) -> str:
    """Return *text* with a capital first letter. Unlike Jinja's `capitalize`, this leaves the other letters unchanged."""
    return text[:1].upper() + text[1:]


def breaks(text: object) -> list[str]:
    """Split a long name or expression where a line may break: "name.givenName" -> "name.", "givenName"."""
    return re.split(r"(?<=[(,.@:\]])(?=\S)", str(text))


def pretty_json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
