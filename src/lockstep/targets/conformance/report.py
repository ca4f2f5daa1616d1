"""Write the results of the checks as curl commands that repeat them, as JSON, or as JUnit XML.

The token is always written as `$SCIM_TOKEN`.
"""

from __future__ import annotations

import re
import shlex
from typing import Any
from xml.etree import ElementTree

from lockstep.targets.conformance.conversation import JSON, RepeatableExchange
from lockstep.targets.conformance.run import CheckReport, CheckResult, CheckVerdict

# XML 1.0 cannot contain these characters, not even escaped.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def as_curl(exchange: RepeatableExchange) -> str:
    """A POSIX shell command that sends the same request."""
    parts = ["curl -sS"]
    if exchange.method != "GET":
        parts.append(f"-X {exchange.method}")
    parts.append(shlex.quote(exchange.url))
    if exchange.token == "$SCIM_TOKEN":  # noqa: S105  # the name of the variable, not a token
        parts.append('-H "Authorization: Bearer $SCIM_TOKEN"')
    elif exchange.token:
        parts.append(f"-H {shlex.quote(f'Authorization: Bearer {exchange.token}')}")
    parts.append(f"-H {shlex.quote(f'Accept: {JSON}')}")
    if exchange.sent:
        parts.append(f"-H {shlex.quote(f'Content-Type: {JSON}')}")
        parts.append(f"--data-binary {shlex.quote(exchange.sent.decode('utf-8', 'replace'))}")
    return " ".join(parts)


def as_json(report: CheckReport) -> dict[str, Any]:
    """The report as JSON."""
    return {
        "url": report.url,
        "ok": report.passed,
        "counts": {verdict.value: report.count(verdict) for verdict in CheckVerdict},
        "requests": report.requests,
        "seconds": round(report.seconds, 3),
        "leftBehind": list(report.left_behind),
        "checks": [_result_as_json(result) for result in report.results],
    }


def as_junit(report: CheckReport) -> bytes:
    """The report as JUnit XML. A warning is a passed case with a message in its output."""
    suite = ElementTree.Element(
        "testsuite",
        name="lockstep scim check",
        tests=str(len(report.results)),
        failures=str(report.count(CheckVerdict.FAIL)),
        skipped=str(report.count(CheckVerdict.SKIP)),
        errors="0",
        time=f"{report.seconds:.3f}",
    )
    for result in report.results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"scim.{result.check.client}",
            name=f"{result.check.id} {result.check.title}",
            time=f"{result.seconds:.3f}",
        )
        _add_ending(case, result)
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True))


def _add_ending(case: ElementTree.Element, result: CheckResult) -> None:
    if result.verdict is CheckVerdict.FAIL:
        failure = ElementTree.SubElement(case, "failure", message=_for_xml(result.sentence))
        failure.text = _for_xml(_exchange_text(result))
    elif result.verdict is CheckVerdict.SKIP:
        ElementTree.SubElement(case, "skipped", message=_for_xml(result.sentence))
    elif result.verdict is CheckVerdict.WARN:
        output = ElementTree.SubElement(case, "system-out")
        output.text = _for_xml(f"warning: {result.sentence}\n{_exchange_text(result)}")


def _exchange_text(result: CheckResult) -> str:
    exchange = result.exchange
    if exchange is None:
        return ""
    status = f"HTTP {exchange.status}" if exchange.status is not None else "no response"
    return f"{as_curl(exchange)}\n# {status} {exchange.received}".rstrip()


def _result_as_json(result: CheckResult) -> dict[str, Any]:
    exchange = result.exchange
    shown = None
    if exchange is not None:
        shown = {"curl": as_curl(exchange), "status": exchange.status, "body": exchange.received}
    return {
        "id": result.check.id,
        "client": result.check.client.value,
        "title": result.check.title,
        "verdict": result.verdict.value,
        "sentence": result.sentence,
        "seconds": round(result.seconds, 3),
        "exchange": shown,
    }


def _for_xml(text: str) -> str:
    return _NOT_IN_XML.sub("?", text)
