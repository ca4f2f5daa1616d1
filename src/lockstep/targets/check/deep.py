"""Test Connection in its deep form: the checks of `lockstep scim check` with an application's stored credentials, as probes.

It writes to the application: people and groups called lockstep-check-..., which it deletes again. What it could not delete is a
failed probe of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.ports import Probe, TargetSettings
from lockstep.targets.check.catalogue import Client
from lockstep.targets.check.run import CheckReport, Result, Verdict, run_checks
from lockstep.targets.http_client import HttpClient

# How provisioning itself speaks: what only other clients send is no reason to distrust an application.
CLIENTS = (Client.ANY, Client.ENTRA)
CLEAN_UP = "Clean-up"


async def test_deeply(settings: TargetSettings, client: HttpClient) -> Sequence[Probe]:
    """One probe for each check. Raises LockstepError where the application cannot be reached or refuses the token."""
    report = await run_checks(
        client, settings.tenant_url, settings.secret, clients=CLIENTS, deadline_seconds=settings.deadline_seconds
    )
    return as_probes(report)


def as_probes(report: CheckReport) -> tuple[Probe, ...]:
    """A report as Test Connection shows it: warnings pass, skipped checks were not tried."""
    left = report.left_behind
    sentence = f"Not deleted: {', '.join(left)}" if left else "Everything that was made was deleted"
    clean_up = Probe(CLEAN_UP, not left, sentence, "Delete it by hand" if left else "")
    return (*(_as_probe(result) for result in report.results), clean_up)


def _as_probe(result: Result) -> Probe:
    sentence = result.check.title + (f": {result.sentence}" if result.sentence else "")
    return Probe(
        result.check.id,
        result.verdict in (Verdict.OK, Verdict.WARN),
        f"Warning: {sentence}" if result.verdict is Verdict.WARN else sentence,
        "See the exchange: lockstep scim check URL" if result.verdict is Verdict.FAIL else "",
        result.seconds,
        tried=result.verdict is not Verdict.SKIP,
    )
