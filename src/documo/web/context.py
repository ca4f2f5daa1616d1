"""The context that the functions of Documo's pages receive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from documo.access.confirming import CONFIRMED, require_confirmed
from documo.access.member_sign_in import MemberCaller
from documo.access.sso.refreshing import MetadataReader
from documo.accounts import TenantAccount, account_with_id
from documo.domain_tls import CertificateLook
from documo.domains import url_of
from documo.permissions import MemberPermission, require
from documo.settings import SCIM_PATH
from documo.store.database import Store
from lockstep.errors import Kind, LockstepError
from lockstep.kit.pages import FORM_BYTES, ModulePages, PageAnswer, PageFunction, PageView


@dataclass(frozen=True, slots=True)
class PageContext:
    """The store and the signed-in member. *public_url* is the address of the service itself, not of an account's custom domain. *rendered*
    renders a page as a response. *look* has the parameters for checking the certificates of domains; it is None if the service is reached
    without TLS.
    """

    store: Store
    public_url: str
    metadata: MetadataReader
    rendered: Callable[[Request, PageView], Response]
    caller: MemberCaller | None = None
    name_server: str | None = None
    look: CertificateLook | None = None

    @property
    def api_url(self) -> str:
        """The address of the API for the caller's account: its own API domain if that is verified, otherwise the public URL."""
        host = self.caller.brand.host_of_api if self.caller is not None else None
        return url_of(host, self.public_url) if host else self.public_url

    @property
    def app_url(self) -> str:
        """The address of the pages for the caller's account."""
        host = self.caller.brand.host_of_app if self.caller is not None else None
        return url_of(host, self.public_url) if host else self.public_url

    @property
    def scim_url(self) -> str:
        return self.api_url + SCIM_PATH

    def member(self) -> MemberCaller:
        """Return the caller. Available only on pages that are not public."""
        if self.caller is None:
            raise LockstepError(Kind.UNAUTHORIZED, "Your session has ended", next_step="Sign in again")
        return self.caller

    def require_confirmed(self, within: timedelta = CONFIRMED) -> None:
        """Raise ConfirmationRequired if the caller last proved their identity longer ago than *within*."""
        require_confirmed(self.member(), within=within, now=datetime.now(UTC))

    async def account(self) -> TenantAccount:
        """Return the account of the caller."""
        return await account_with_id(self.store, self.member().tenant_id)


class DocumoPages(ModulePages[PageContext]):
    """The pages of one module. A page that is not public names the permission that it needs. Its function is called only for members with
    that permission.

    A sensitive page has a limit *confirmed*. If more than this time has passed since the member proved who they are, the member must first
    prove it again.
    """

    def get(
        self,
        path: str,
        *,
        is_public: bool = False,
        needs: MemberPermission | None = None,
        confirmed: timedelta | None = None,
    ) -> Callable[[PageFunction[PageContext]], PageFunction[PageContext]]:
        return _guarding(
            super().get(path, is_public=is_public), path, needs=needs, is_public=is_public, confirmed=confirmed
        )

    def post(
        self,
        path: str,
        *,
        is_public: bool = False,
        form_bytes: int = FORM_BYTES,
        needs: MemberPermission | None = None,
        confirmed: timedelta | None = None,
    ) -> Callable[[PageFunction[PageContext]], PageFunction[PageContext]]:
        adding = super().post(path, is_public=is_public, form_bytes=form_bytes)
        return _guarding(adding, path, needs=needs, is_public=is_public, confirmed=confirmed)


def _guarding(
    adding: Callable[[PageFunction[PageContext]], PageFunction[PageContext]],
    path: str,
    *,
    needs: MemberPermission | None,
    is_public: bool,
    confirmed: timedelta | None,
) -> Callable[[PageFunction[PageContext]], PageFunction[PageContext]]:
    if is_public == (needs is not None):
        raise TypeError(f"{path} must either be public or have a permission")

    def add(function: PageFunction[PageContext]) -> PageFunction[PageContext]:
        @wraps(function)
        async def guarded(context: PageContext, request: Request) -> PageAnswer:
            if needs is not None:
                require(context.member().role, needs)
            if confirmed is not None:
                context.require_confirmed(confirmed)
            return await function(context, request)

        adding(guarded)
        return function

    return add
