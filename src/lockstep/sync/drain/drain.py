"""Drain a job: claim dirty objects until nothing is due, leavers first.

A process runs one drain per job; a second task for the job only wakes the running drain. A wake-up that arrives while the drain is
finishing must not be lost. Therefore, there is no await between the drain's last check for a wake-up and the drain's removal from the list
of drains.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from lockstep.engine.decisions.patience import RequestKind
from lockstep.errors import LockstepError
from lockstep.ports import Answer, Target, TargetSettings, Verdict
from lockstep.storage import dirty
from lockstep.storage.backlog import seconds_until_due
from lockstep.storage.dirty import Claim
from lockstep.storage.pipelines import pipelined
from lockstep.sync import application_health
from lockstep.sync.cycle import frame as cycle_frame
from lockstep.sync.cycle.judging import is_held
from lockstep.sync.cycle.probing import may_go_on
from lockstep.sync.drain.pipeline import Pipeline
from lockstep.sync.drain.slices import plan_slice
from lockstep.sync.drive import Drive
from lockstep.sync.services import Job, Services

LARGEST_LOCAL_SLICE = 500  # after a slice in which no object needed the application
OLDEST_EVERY = 10  # every tenth slice takes the objects that have waited longest, whatever their lane
RECHECK_SECONDS = 5.0
DUE_RECHECK_SECONDS = 1.0  # objects that another worker leases may be done long before their lease ends
HELP_EVERY_SECONDS = 2.0
PREPARE_AGAIN_SECONDS = 2.0


async def drain_job(services: Services, drive: Drive, job_id: str) -> None:
    """Work until no object of the job is due within a minute. If this process is already draining the job, wake that drain and return at
    once.
    """
    running = services.drains.get(job_id)
    if running is not None:
        running.set()
        return
    poked = services.drains[job_id] = asyncio.Event()
    try:
        async with services.pool.connection() as connection:
            job = await services.read_job(connection, job_id)
        if not job.row.may_work:
            return
        try:
            target, settings = await services.open_target(job)
            await Drain(services, drive, job, target, settings, poked).run()
        except LockstepError as refused:
            # Credentials are missing or cannot be decrypted. Report it as a problem of the job, where administrators look for it.
            answer = Answer(
                Verdict.UNAUTHORIZED, code="Unauthorized", detail=refused.detail, next_step=refused.next_step
            )
            await application_health.notice(services, job, answer, RequestKind.PROBE)
    finally:
        if services.drains.get(job_id) is poked:
            del services.drains[job_id]


class Drain:
    """One run of a job's drain in this process."""

    def __init__(
        self, services: Services, drive: Drive, job: Job, target: Target, settings: TargetSettings, poked: asyncio.Event
    ) -> None:
        self.services = services
        self.drive = drive
        self.job = job
        self.target = target
        self.poked = poked
        self.pipeline = Pipeline(services, job, target, settings)
        self._slices = 0
        self._is_quiet = False  # whether no object of the last slice needed the application
        self._was_quiet = False
        self._asked_for_help_at = 0.0
        self._prepare_after = 0.0
        self._preparing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Drain until nothing is due soon, the job may not continue, or the process stops."""
        conveyor = asyncio.create_task(self.pipeline.run(), name=f"drain {self.job.id}")
        work = asyncio.create_task(self._work(), name=f"claims {self.job.id}")
        try:
            await asyncio.wait((work, conveyor), return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = [task for task in (work, conveyor, self._preparing) if task is not None]
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _work(self) -> None:
        while True:
            self.poked.clear()
            await self._drain_what_is_due()
            if not self.poked.is_set() or self._must_stop():
                # There must be no await between the check above and this removal. A later wake-up then finds no drain
                # and starts one.
                self.services.drains.pop(self.job.id, None)
                return

    async def _drain_what_is_due(self) -> None:
        if not await self._may_go_on():
            return
        while not self._must_stop():
            if not await self._find_room():
                continue
            claims = await self._claim()
            if claims:
                self._is_quiet = not await plan_slice(self.services, self.job, self.pipeline, claims)
                await self._ask_for_help(len(claims))
            elif self.pipeline.in_flight:
                await self._wait(RECHECK_SECONDS)
            elif not await self._wait_for_due():
                break
        await self._flush()
        await cycle_frame.close(self.services, self.job)

    async def _may_go_on(self) -> bool:
        """Whether the drain may continue. Waits here if the application asked only for a short pause."""
        while not await may_go_on(self.services, self.job, self.target):
            quiet = self.pipeline.seconds_to_wait
            if not 0 < quiet <= self.services.times.longest_wait_seconds or self._must_stop():
                return False
            await self._wait(quiet)
            async with self.services.pool.connection() as connection:
                self.job = self.pipeline.job = await self.services.read_job(connection, self.job.id)
            if not self.job.row.may_work:
                return False
        return True

    def _must_stop(self) -> bool:
        return bool(self.services.stopping.is_set() or self.pipeline.stop_claiming)

    async def _find_room(self) -> bool:
        """Whether another slice may be claimed now. Waits if the pipeline is full or the application asked for a pause."""
        if self.pipeline.seconds_to_wait:
            self._was_quiet = True
            if self.pipeline.seconds_to_wait > self.services.times.longest_wait_seconds:
                self.pipeline.stop_claiming = "quiet"  # the sweep starts another drain when the pause is over
            else:
                await self._wait(min(self.pipeline.seconds_to_wait, RECHECK_SECONDS))
            return False
        if self._was_quiet:
            # After a pause, send one probe first. An application that is still down must not receive all the queued
            # requests.
            self._was_quiet = False
            if not await may_go_on(self.services, self.job, self.target):
                self._was_quiet = True
                if not self.pipeline.seconds_to_wait:
                    self.pipeline.stop_claiming = "quarantine"
                return False
        if self.pipeline.room() < self.pipeline.ahead.smallest_slice:
            await self._wait(RECHECK_SECONDS)
            return False
        return True

    async def _claim(self) -> list[Claim]:
        room = self.pipeline.room()
        limit = max(room, LARGEST_LOCAL_SLICE) if self._is_quiet else room
        self._slices += 1
        claimed_at = time.monotonic()
        # A crash may lose a claim without harm: every write is durably journalled first, and the journal checks the lease.
        async with pipelined(self.services.pool, is_durable=False) as connection:
            frame = await cycle_frame.frame_of(connection, self.job.id)
            self._prepare_if_needed(frame)
            claims = await dirty.claim(
                connection,
                self.job.id,
                owner=self.services.owner,
                limit=limit,
                lease_seconds=self.pipeline.lease_seconds,
                up_to_lane=frame.up_to_lane,
                oldest_first=self._slices % OLDEST_EVERY == 0,
            )
            # Read the job after the claim, so that its configuration includes every change that marked these rows.
            self.job = self.pipeline.job = await self.services.read_job(connection, self.job.id)
            if not self.job.row.may_work or is_held(self.job.row.quarantine):
                self.pipeline.stop_claiming = "paused"
                await dirty.release(connection, self.job.id, claims)
                return []
            if claims:
                claims = await cycle_frame.adopt(connection, self.job, claims)
        self.pipeline.admit(claims, claimed_at=claimed_at)
        return claims

    def _prepare_if_needed(self, frame: cycle_frame.Frame) -> None:
        if frame.needs_preparation and self._preparing is None and time.monotonic() >= self._prepare_after:
            self._preparing = asyncio.create_task(self._prepare(), name=f"prepare {self.job.id}")

    async def _prepare(self) -> None:
        try:
            if not await cycle_frame.prepare(self.services, self.job, self.target, on_marked=self.pipeline.changed.set):
                self._prepare_after = time.monotonic() + (self.pipeline.seconds_to_wait or PREPARE_AGAIN_SECONDS)
        finally:
            self._preparing = None
            self.poked.set()
            self.pipeline.changed.set()

    async def _wait_for_due(self) -> bool:
        """Wait for objects that become due within a minute. Returns False if there are none."""
        until_prepared = self._prepare_after - time.monotonic()
        if self._preparing is not None or until_prepared > 0:
            await self._wait(RECHECK_SECONDS if self._preparing is not None else until_prepared)
            return True
        async with self.services.pool.connection() as connection:
            seconds = await seconds_until_due(connection, self.job.id)
        if seconds is None or seconds > self.services.times.longest_wait_seconds:
            return False
        if seconds > 0:
            await self._wait(min(seconds, DUE_RECHECK_SECONDS))
        return True

    async def _flush(self) -> None:
        """Wait until all objects in flight are recorded."""
        while self.pipeline.in_flight:
            self.pipeline.changed.clear()
            if self.pipeline.in_flight:
                await self.pipeline.changed.wait()

    async def _wait(self, seconds: float) -> None:
        """Wait until something changes, for at most *seconds*."""
        waits: Sequence[asyncio.Task[object]] = [
            asyncio.create_task(event.wait()) for event in (self.pipeline.changed, self.poked, self.services.stopping)
        ]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        self.pipeline.changed.clear()
        self.poked.clear()

    async def _ask_for_help(self, claimed: int) -> None:
        """Queue another task for a large job, so that a worker on another machine can drain the job too."""
        if (
            claimed < self.pipeline.ahead.smallest_slice
            or time.monotonic() - self._asked_for_help_at < HELP_EVERY_SECONDS
        ):
            return
        self._asked_for_help_at = time.monotonic()
        await self.drive.defer_drain(self.job.id, slot=1)
