"""A person and a group as the site stores them, and the one filter on groups that django-scim2 leaves to its users."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django_scim.filters import GroupFilterQuery
from django_scim.models import AbstractSCIMGroupMixin, AbstractSCIMUserMixin


class Person(AbstractSCIMUserMixin, AbstractUser):  # type: ignore[misc]
    """The library's mixin names the account; `username`, `first_name`, `last_name`, `email` and `is_active` are Django's own."""

    @property
    def scim_groups(self) -> object:
        return self.team_set

    class Meta:
        app_label = "django_site"


class Team(AbstractSCIMGroupMixin):  # type: ignore[misc]
    name = models.CharField(max_length=200, unique=True)
    user_set = models.ManyToManyField(Person)

    class Meta:
        app_label = "django_site"


class TeamFilter(GroupFilterQuery):  # type: ignore[misc]
    attr_map: ClassVar = {("displayName", None, None): "name"}
