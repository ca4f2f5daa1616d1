"""What the functions of Documo's pages work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from documo.access.member_sign_in import MemberCaller
from documo.access.sso.refreshing import MetadataReader
from documo.accounts import Account, find_account
from documo.domains import url_of
from documo.members import ADMIN
from documo.settings import SCIM_PATH
from documo.store.database import Store
from lockstep.errors import Kind, LockstepError
from lockstep.kit.pages import ModulePages, PageView


@dataclass(frozen=True, slots=True)
class PageContext:
    """The store, and the member who asks. *public_url*: where the service is reached without a custom domain.

    *rendered* turns a page into its response.
    """

    store: Store
    public_url: str
    metadata: MetadataReader
    rendered: Callable[[Request, PageView], Response]
    caller: MemberCaller | None = None
    name_server: str | None = None

    @property
    def api_url(self) -> str:
        """Where the caller's account reaches the API: at its own API domain, once that is verified."""
        host = self.caller.brand.host_of_api if self.caller is not None else None
        return url_of(host, self.public_url) if host else self.public_url

    @property
    def app_url(self) -> str:
        """Where the caller's account reaches the pages."""
        host = self.caller.brand.host_of_app if self.caller is not None else None
        return url_of(host, self.public_url) if host else self.public_url

    @property
    def scim_url(self) -> str:
        return self.api_url + SCIM_PATH

    def member(self) -> MemberCaller:
        """The caller of a page that is not public."""
        if self.caller is None:
            raise LockstepError(Kind.UNAUTHORIZED, "Your session has ended", next_step="Sign in again")
        return self.caller

    async def as_admin(self) -> Account:
        """The account of the caller. Raises LockstepError unless the caller is an Admin, who alone may manage it."""
        member = self.member()
        if member.role != ADMIN:
            raise LockstepError(
                Kind.FORBIDDEN,
                f"Only an Admin may manage the account, and your role is {member.role}",
                next_step="Ask an Admin of your account to do it, or to give you the role",
            )
        return await find_account(self.store, str(member.tenant_id))


class DocumoPages(ModulePages[PageContext]):
    """The pages of one module."""
