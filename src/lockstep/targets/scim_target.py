"""Read and write one application over SCIM 2.0. Implements `ports.Target`.

This module chooses the requests and the forms that the application understands; `scim_sender` sends them. No request is repeated here: the
caller first checks the effect of the request, then decides whether to repeat it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from lockstep.engine.records import Account, Change, ObjectKind, Values
from lockstep.http.client import HttpClient
from lockstep.http.deadline import end_of_request
from lockstep.ports import (
    Answer,
    Exchange,
    NewAccount,
    Observer,
    Target,
    TargetError,
    TargetPage,
    TargetSettings,
    Turns,
    Verdict,
    unobserved,
)
from lockstep.scim.members import shown_members
from lockstep.targets.bulk import BulkCreates
from lockstep.targets.forms import (
    has_no_patch,
    is_manager,
    may_be_about_managers,
    may_be_repeated,
    misread_managers,
    still_members,
)
from lockstep.targets.listing import Dishonest, Listing, read_found
from lockstep.targets.redaction import strings_in
from lockstep.targets.scim_answers import ScimReading
from lockstep.targets.scim_requests import (
    ScimRequest,
    create_request,
    delete_request,
    find_request,
    get_request,
    members_request,
    needs_current,
    page_request,
    put_members_request,
    put_request,
    read_members_request,
    read_tenant_url,
    update_request,
    whole_request,
)
from lockstep.targets.scim_sender import ScimSender


class ScimTarget(Target):
    """The target for one application. *client* is shared with other targets; its owner closes it.

    *turns*, if given, must permit every request. *observer* is notified of every request that was sent.
    """

    def __init__(
        self,
        settings: TargetSettings,
        client: HttpClient,
        turns: Turns | None = None,
        observer: Observer = unobserved,
    ) -> None:
        self.settings = settings
        self._tenant = read_tenant_url(settings.tenant_url)
        self._redacted_paths = settings.redacted_paths
        self._sender = ScimSender(
            settings, client, self._tenant, turns=turns, observer=observer, redacted_paths=self._redacted_paths
        )
        self._without_patch: set[ObjectKind] = set()  # learned from responses, until the application is opened again
        self._bare_manager: bool | None = None  # the form of a manager that works, or None if unknown
        self._tries_bare = False  # the form of a manager to try next while none is known to work
        self._removes_by_value: bool | None = None  # the form of a removal that works, or None if unknown
        self._bulk = BulkCreates(self._sender)
        self._page_size = settings.page_size

    async def find(self, kind: ObjectKind, attribute: str, value: str) -> Sequence[Account]:
        hidden = (value,) if attribute in self._redacted_paths else ()
        request = replace(find_request(kind, attribute, value), hidden=hidden)
        answer, reading = await self._ask(request)
        try:
            return read_found(request, reading.content or {}, attribute=attribute, value=value)
        except Dishonest as broken:
            raise self._sender.broken(request, broken, answer.exchanges) from None

    async def get(self, kind: ObjectKind, target_id: str) -> Account | None:
        answer = await self._look(kind, target_id, self._deadline())
        if answer.verdict is not Verdict.GONE and not answer.is_done:
            raise TargetError(answer)
        return answer.account

    async def pages(self, kind: ObjectKind) -> AsyncIterator[TargetPage]:
        listing = Listing()
        is_last = False
        while not is_last:
            request = page_request(kind, start_index=listing.next_index, count=self._page_size)
            answer, reading = await self._ask(request)
            try:
                page = listing.take(request, reading.content or {})
            except Dishonest as broken:
                raise self._sender.broken(request, broken, answer.exchanges) from None
            is_last = page.is_last
            yield page

    async def members_of(self, group_id: str) -> frozenset[str] | None:
        answer, _ = await self._ask(read_members_request(group_id))
        return shown_members(answer.account.resource) if answer.account is not None else None

    async def create(self, kind: ObjectKind, values: Values, *, operation_id: str) -> Answer:
        request = create_request(kind, values, redacted_paths=self._redacted_paths)
        return await self._write(request, operation_id)

    async def creates_at_once(self) -> int:
        return await self._bulk.most(self._deadline())

    async def create_many(self, kind: ObjectKind, creates: Sequence[NewAccount]) -> Sequence[Answer]:
        build = partial(create_request, kind, redacted_paths=self._redacted_paths)
        return await self._bulk.create([(build(one.values), one.operation_id) for one in creates], self._deadline())

    async def update(
        self,
        kind: ObjectKind,
        target_id: str,
        changes: Sequence[Change],
        *,
        current: Account | None,
        etag: str,
        operation_id: str,
    ) -> Answer:
        deadline = self._deadline()
        mode = self._tenant.mode
        looked: tuple[Exchange, ...] = ()
        if current is None and needs_current(changes, mode):
            answer = await self._look(kind, target_id, deadline)
            if not answer.is_done:
                return _unsent(answer)
            current, looked = answer.account, answer.exchanges
        hidden = [
            text
            for change in changes
            if change.redacted or change.path in self._redacted_paths
            for text in strings_in((change.old, change.new))
        ]
        put = partial(put_request, kind, target_id, changes, hidden=hidden)
        if kind in self._without_patch:
            return await self._put(kind, target_id, put, operation_id, deadline)
        resource = current.resource if current is not None else None
        build = partial(update_request, kind, target_id, current=resource, etag=etag, mode=mode, hidden=hidden)
        is_bare = self._tries_bare if self._bare_manager is None else self._bare_manager
        request = build(changes, bare_manager=is_bare)
        if request is None:
            detail = "The account already had these values"
            return Answer(Verdict.DONE_ALREADY, current, detail=detail, exchanges=looked)
        send = partial(self._patch_or_put, put=put, operation_id=operation_id, deadline=deadline)
        answer = await send(request)
        if self._bare_manager is None:
            answer = await self._after_failure(changes, answer, build, send, was_bare=is_bare)
            answer = await self._with_manager(changes, answer, build, operation_id, deadline, was_bare=is_bare)
        return replace(answer, exchanges=looked + answer.exchanges) if looked else answer

    async def delete(self, kind: ObjectKind, target_id: str, *, etag: str, operation_id: str) -> Answer:
        return await self._write(delete_request(kind, target_id, etag=etag), operation_id)

    async def change_members(
        self, group_id: str, *, add: Sequence[str], remove: Sequence[str], operation_id: str
    ) -> Answer:
        if not add and not remove:
            return Answer(Verdict.DONE_ALREADY, detail="The members were already correct")
        put = partial(put_members_request, group_id, add=add, remove=remove)
        if ObjectKind.GROUP in self._without_patch:
            return await self._put(ObjectKind.GROUP, group_id, put, operation_id, self._deadline())
        mode = "entra" if self._removes_by_value else self._tenant.mode
        request = members_request(group_id, add=add, remove=remove, mode=mode)
        answer = await self._patch_or_put(request, put=put, operation_id=operation_id, deadline=self._deadline())
        if self._removes_by_value is None and answer.is_done and mode != "entra":
            return await self._without_members(group_id, remove, answer, operation_id)
        return answer

    async def _look(self, kind: ObjectKind, target_id: str, deadline: float) -> Answer:
        answer, _ = await self._sender.send(get_request(kind, target_id), "", deadline)
        return answer

    async def _ask(self, request: ScimRequest) -> tuple[Answer, ScimReading]:
        answer, reading = await self._sender.send(request, "", self._deadline())
        if not answer.is_done:
            raise TargetError(answer)
        return answer, reading

    async def _write(self, request: ScimRequest, operation_id: str, deadline: float = 0.0) -> Answer:
        answer, _ = await self._sender.send(request, operation_id, deadline or self._deadline())
        return answer

    async def _after_failure(
        self,
        changes: Sequence[Change],
        answer: Answer,
        build: Callable[..., ScimRequest | None],
        send: Callable[[ScimRequest], Awaitable[Answer]],
        *,
        was_bare: bool,
    ) -> Answer:
        """After a failed PATCH, try the other form of the manager if the form may have caused the failure.

        If it is safe to repeat the changes, the other form is sent at once. Otherwise it is used for the next PATCH.
        """
        self._tries_bare = False
        if not may_be_about_managers(changes, answer):
            return answer
        other = build(changes, bare_manager=not was_bare) if may_be_repeated(changes) else None
        if other is None:
            self._tries_bare = not was_bare
            return answer
        second = await send(other)
        if second.is_done and other.kind not in self._without_patch:
            self._bare_manager = not was_bare
        return replace(second, exchanges=answer.exchanges + second.exchanges)

    async def _with_manager(
        self,
        changes: Sequence[Change],
        answer: Answer,
        build: Callable[..., ScimRequest | None],
        operation_id: str,
        deadline: float,
        *,
        was_bare: bool,
    ) -> Answer:
        """If the response shows a manager other than the one sent, send the other form once. Remember the form that works."""
        if self._bare_manager is not None or not answer.is_done or answer.account is None:
            return answer
        if not any(map(is_manager, changes)) or answer.account.kind in self._without_patch:
            return answer
        misread = misread_managers(changes, answer)
        self._bare_manager = was_bare
        again = build(misread, etag=answer.account.etag, bare_manager=not was_bare) if misread else None
        if again is None or again.method != "PATCH":
            return answer
        second = await self._write(again, operation_id, deadline)
        exchanges = answer.exchanges + second.exchanges
        if not second.is_done:
            return replace(answer, exchanges=exchanges)
        if second.account is not None and not misread_managers(misread, second):
            self._bare_manager = not was_bare
        return replace(second, exchanges=exchanges)

    async def _without_members(
        self, group_id: str, removed: Sequence[str], answer: Answer, operation_id: str
    ) -> Answer:
        """If the response still shows removed members, remove them once more, by value. Remember the form that works."""
        still = still_members(answer, removed)
        if not still:
            return answer
        again = members_request(group_id, add=(), remove=still, mode="entra")
        second = await self._write(again, operation_id)
        self._removes_by_value = second.is_done and not still_members(second, still)
        exchanges = answer.exchanges + second.exchanges
        return replace(second if second.is_done else answer, exchanges=exchanges)

    async def _patch_or_put(
        self, request: ScimRequest, *, put: Callable[..., ScimRequest], operation_id: str, deadline: float
    ) -> Answer:
        """Send a PATCH. If the application does not support PATCH, send a PUT of the complete resource."""
        answer = await self._write(request, operation_id, deadline)
        if not has_no_patch(answer):
            return answer
        instead = await self._put(request.kind, request.target_id, put, operation_id, deadline)
        if not has_no_patch(instead):
            self._without_patch.add(request.kind)
        return replace(instead, exchanges=answer.exchanges + instead.exchanges)

    async def _put(
        self, kind: ObjectKind, target_id: str, put: Callable[..., ScimRequest], operation_id: str, deadline: float
    ) -> Answer:
        """Read the resource, change it and send it back. If the application supports ETags, they reveal a concurrent change."""
        whole, _ = await self._sender.send(whole_request(kind, target_id), "", deadline)
        if not whole.is_done or whole.account is None:
            return _unsent(whole)
        request = put(current=whole.account.resource, etag=whole.account.etag)
        answer = await self._write(request, operation_id, deadline)
        return replace(answer, exchanges=whole.exchanges + answer.exchanges)

    def _deadline(self) -> float:
        return end_of_request(self.settings.deadline_seconds)


def _unsent(answer: Answer) -> Answer:
    """Return the outcome of a write that was not sent, because the read before it failed with *answer*."""
    return replace(answer, verdict=Verdict.UNREACHABLE) if answer.verdict is Verdict.AMBIGUOUS else answer
