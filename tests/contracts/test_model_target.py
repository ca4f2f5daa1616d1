"""The model that the tests of cycles use fulfils the contract, so that their results are also valid for an application over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lockstep.ports import Answer, Target, Turns, Verdict
from tests.contracts.target_contract import BUSY_SECONDS, VERDICTS, WRITES, Failure, TargetContract, target
from tests.support.model_target import ModelOpener, ModelTarget, answered
from tests.support.target_servers import settings_for

__all__ = ["target"]


class ModelApplication:
    def __init__(self) -> None:
        self.model = ModelTarget(page_size=2)
        self.model.most_creates = 10

    def open(self, turns: Turns | None = None) -> Target:
        return ModelOpener(self.model).open(settings_for("http://model.test"), turns)

    @property
    def operation_ids(self) -> list[str]:
        return self.model.operations

    def fail(self, failure: Failure | None, *, after: int = 0) -> None:
        left = after

        def fault(verb: str, key: str) -> Answer | None:
            nonlocal left
            left -= 1
            if failure is None or left >= 0:
                return None
            busy = timedelta(seconds=BUSY_SECONDS) if failure is Failure.IS_BUSY else None
            unsent = failure is Failure.CANNOT_BE_REACHED
            return Answer(Verdict.UNREACHABLE) if unsent else answered(VERDICTS[failure], wait=busy)

        def before(verb: str, key: str) -> Answer | None:
            return None if failure is Failure.LOSES_THE_ANSWER and verb in (*WRITES, "bulk") else fault(verb, key)

        def after_the_work(verb: str, key: str) -> Answer | None:
            return fault(verb, key) if failure is Failure.LOSES_THE_ANSWER else None

        self.model.before, self.model.after = before, after_the_work


@pytest.fixture
def application() -> ModelApplication:
    return ModelApplication()


class TestModelTarget(TargetContract):
    pass
