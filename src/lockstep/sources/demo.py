"""Generate Contoso, a fictitious organisation in the CSV format of Entra's admin centre, for trying out Lockstep.

The same seed always gives the same organisation. The files are imported like any other files.
"""

from __future__ import annotations

import csv
import random
import secrets
import unicodedata
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lockstep.sources.demo_names import CULTURES, spelled

DOMAIN = "contoso.test"
KIM = f"kim.berg@{DOMAIN}"
PEOPLE, GROUPS = 1204, 41
ASSIGNED_SHARE = 214 / 1204

_DEPARTMENTS = {
    "Engineering": ("Software Engineer", "Site Reliability Engineer", "Engineering Manager", "QA Engineer"),
    "Marketing": ("Content Strategist", "Brand Manager", "Campaign Analyst"),
    "Finance": ("Accountant", "Controller", "Payroll Specialist"),
    "Human Resources": ("HR Partner", "Recruiter"),
    "IT": ("System Administrator", "Service Desk Agent", "Identity Engineer"),
    "Legal": ("Counsel", "Paralegal"),
    "Operations": ("Operations Manager", "Logistics Planner", "Warehouse Lead"),
    "Customer Support": ("Support Engineer", "Support Agent"),
    "Research & Development": ("Research Scientist", "Lab Technician"),
}
_SALES_TITLES = ("Account Executive", "Sales Engineer", "Sales Director", "Inside Sales")
_PEOPLE_COLUMNS = (
    "userPrincipalName", "displayName", "surname", "mail", "givenName", "id", "userType", "jobTitle", "department",
    "accountEnabled", "usageLocation", "streetAddress", "state", "country", "physicalDeliveryOfficeName", "city",
    "postalCode", "telephoneNumber", "mobile", "authenticationPhoneNumber", "authenticationAlternativePhoneNumber",
    "authenticationEmail", "alternateEmailAddress", "ageGroup", "consentProvidedForMinor", "legalAgeGroupClassification",
    "companyName", "employeeId", "preferredLanguage", "manager",
)  # fmt: skip
_GROUP_COLUMNS = ("id", "displayName", "description", "mailNickname", "mailEnabled", "securityEnabled")
_MEMBER_COLUMNS = ("groupId", "groupDisplayName", "memberId", "userPrincipalName")

DemoRow = dict[str, str]


@dataclass(frozen=True, slots=True)
class OrganisationAssignment:
    """One assignment in the demo organisation."""

    principal: str
    is_group: bool
    role: str


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """The paths of the files that were written."""

    people: Path
    groups: Path
    members: Path
    people_count: int
    group_count: int
    seed: int


def demo_assignments() -> tuple[OrganisationAssignment, ...]:
    """Return the assignments of the demo: two groups and one person. Together they give access to about 214 of 1,204 people."""
    return (
        OrganisationAssignment("documo-admins", is_group=True, role="Admin"),
        OrganisationAssignment("all-sales", is_group=True, role="Member"),
        OrganisationAssignment(KIM, is_group=False, role="Member"),
    )


def generate(folder: Path, *, people: int = PEOPLE, groups: int = GROUPS, seed: int | None = None) -> DemoFiles:
    """Write people.csv, groups.csv and members.csv to *folder*. Without *seed*, every call generates a different organisation."""
    seed = secrets.randbits(32) if seed is None else seed
    chance = random.Random(seed)  # noqa: S311  # fictitious names, no secrets
    staff = _staff(chance, max(people, 1))
    teams = _groups(chance, staff, max(groups, 3))
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.csv" for name in ("people", "groups", "members")]
    _write(files[0], _PEOPLE_COLUMNS, staff)
    _write(files[1], _GROUP_COLUMNS, (group for group, _ in teams))
    memberships = (
        {
            "groupId": group["id"],
            "groupDisplayName": group["displayName"],
            "memberId": person["id"],
            "userPrincipalName": person["userPrincipalName"],
        }
        for group, members in teams
        for person in members
    )
    _write(files[2], _MEMBER_COLUMNS, memberships)
    return DemoFiles(files[0], files[1], files[2], len(staff), len(teams), seed)


def _staff(chance: random.Random, count: int) -> list[DemoRow]:
    taken = {KIM}
    kim = _person(chance, 0, taken, department="Marketing")
    kim |= {"userPrincipalName": KIM, "mail": KIM, "givenName": "Kim", "surname": "Berg", "displayName": "Kim Berg",
            "accountEnabled": "True", "userType": "Member"}  # fmt: skip
    sales = _sales_size(count)
    others = list(_DEPARTMENTS)
    staff = [kim]
    for number in range(1, count):
        department = "Sales" if number <= sales else chance.choice(others)
        staff.append(_person(chance, number, taken, department=department))
    leaders: dict[str, str] = {}
    for person in staff:
        # The first person of a department leads it and reports to Kim; the others report to that person.
        leader = leaders.setdefault(person["department"], person["userPrincipalName"])
        if person is not kim:
            person["manager"] = KIM if leader == person["userPrincipalName"] else leader
    head, *rest = staff
    chance.shuffle(rest)
    return [head, *rest]


def _person(chance: random.Random, number: int, taken: set[str], *, department: str) -> DemoRow:
    culture = chance.choices(CULTURES, [one.weight for one in CULTURES])[0]
    given, given_latin = spelled(chance.choice(culture.given))
    surname, surname_latin = spelled(chance.choice(culture.surnames))
    local = f"{given_latin}.{surname_latin}"
    upn, again = f"{local}@{DOMAIN}", 2
    while upn in taken:
        upn, again = f"{local}{again}@{DOMAIN}", again + 1
    taken.add(upn)
    titles = _SALES_TITLES if department == "Sales" else _DEPARTMENTS[department]
    return {
        "userPrincipalName": upn,
        "displayName": f"{surname} {given}" if culture.surname_first else f"{given} {surname}",
        "surname": surname,
        "mail": upn,
        "givenName": given,
        "id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "userType": "Guest" if chance.random() < 0.01 else "Member",
        "jobTitle": chance.choice(titles),
        "department": department,
        "accountEnabled": "False" if chance.random() < 0.02 else "True",
        "usageLocation": culture.usage_location,
        "country": culture.country,
        "physicalDeliveryOfficeName": f"Building {chance.randint(1, 9)}",
        "city": chance.choice(culture.cities),
        "postalCode": f"{chance.randint(10000, 99999)}",
        "telephoneNumber": f"+1 555 0{chance.randint(100, 199)}",
        "mobile": f"+1 555 0{chance.randint(100, 199)}",
        "companyName": "Contoso, Ltd.",
        "employeeId": f"E{number + 1:06}",
        "preferredLanguage": culture.language,
    }


def _groups(chance: random.Random, staff: list[DemoRow], count: int) -> list[tuple[DemoRow, list[DemoRow]]]:
    by_department: dict[str, list[DemoRow]] = {}
    for person in staff:
        by_department.setdefault(person["department"], []).append(person)
    sales = by_department.get("Sales", [])
    # Fill up the number with admins from outside Sales. Two people from Sales get a second role, to show which role takes precedence.
    wanted = _assigned_size(len(staff)) - len(sales) - 1
    outside = [person for person in staff if person["department"] not in ("Sales", "Marketing")][: max(wanted, 0)]
    teams: list[tuple[str, list[DemoRow]]] = [
        ("all-staff", staff),
        ("all-sales", sales),
        ("documo-admins", outside + sales[:2]),
    ]
    teams += [(f"all-{_slug(name)}", members) for name, members in sorted(by_department.items()) if name != "Sales"]
    places = sorted({person["country"] for person in staff})
    teams += [(f"office-{_slug(place)}", [p for p in staff if p["country"] == place]) for place in places]
    number = 1
    while len(teams) < count:
        size = min(len(staff), chance.randint(3, 30))
        teams.append((f"project-{number:02}", chance.sample(staff, size)))
        number += 1
    return [(_group(chance, name), members) for name, members in teams[:count]]


def _group(chance: random.Random, name: str) -> DemoRow:
    return {
        "id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "displayName": name,
        "description": name.replace("-", " ").capitalize(),
        "mailNickname": name,
        "mailEnabled": "False",
        "securityEnabled": "True",
    }


def _assigned_size(people: int) -> int:
    return max(1, round(people * ASSIGNED_SHARE))


def _sales_size(people: int) -> int:
    """Return how many members the group Sales must have, so that the demo's assignments reach the planned number of people.

    The people who get access are the members of Sales, the person Kim, and up to eight administrators.
    """
    return max(0, _assigned_size(people) - 1 - min(8, people // 20))


def _slug(name: str) -> str:
    """Return the name in lower-case ASCII with hyphens: "Türkiye" becomes "turkiye"."""
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", name.lower()) if not unicodedata.combining(letter)
    )
    return (
        "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in plain)
        .strip("-")
        .replace("---", "-")
    )


def _write(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, str]]) -> None:
    path.touch(mode=0o600)  # The people are fictitious, but the file gets the mode that a file of real people needs.
    # With a byte order mark, like files from the admin centre.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(columns), restval="")
        writer.writeheader()
        writer.writerows(rows)
