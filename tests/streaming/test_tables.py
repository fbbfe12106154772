"""Tables in constant memory: pages by key, formulas neutralised, nothing held in between."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from streaming import threads
from streaming.responses import TableResponse, pages

pytestmark = pytest.mark.django_db(transaction=True)

HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", '"x', "a,b", "plain"]
Users: Any = get_user_model()


@pytest.fixture
def users() -> Iterator[int]:
    Users.objects.bulk_create(
        Users(username=f"u{n:04}", first_name=f"f{n % 7}", last_name=HOSTILE[n % len(HOSTILE)])
        for n in range(1201)
    )
    yield 1201


@pytest.fixture(autouse=True)
async def connections_given_back() -> AsyncIterator[None]:
    yield
    await threads.close_connections()


async def read(response: Any) -> list[bytes]:
    parts = [part async for part in response]
    response.close()
    return parts


async def test_a_queryset_is_a_table_in_pages(users: int) -> None:
    columns = ("username", "last_name", "date_joined")
    response = TableResponse(Users.objects.all(), columns=columns, name="people é.csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "people%20%C3%A9.csv" in response["Content-Disposition"]
    parts = await read(response)
    assert len(parts) == 1 + 3, "a head, and pages of 500"
    rows = list(csv.DictReader(io.StringIO(b"".join(parts).decode("utf-8-sig"), newline="")))
    assert [row["username"] for row in rows] == [f"u{n:04}" for n in range(users)]
    for n, row in enumerate(rows[: len(HOSTILE)]):
        neutralised = HOSTILE[n] not in ('"x', "a,b", "plain")
        assert row["last_name"] == ("'" if neutralised else "") + HOSTILE[n]


async def test_rows_may_be_made_of_instances_and_written_as_lines_of_json(users: int) -> None:
    response = TableResponse(
        Users.objects.filter(username__lt="u0003"),
        columns=("name", "hostile"),
        name="people.jsonl",
        row=lambda user: {"name": user.get_username(), "hostile": user.last_name},
    )
    lines = b"".join(await read(response)).splitlines()
    assert [json.loads(line) for line in lines] == [
        {"name": f"u{n:04}", "hostile": HOSTILE[n]} for n in range(3)
    ]


async def test_an_async_iterator_is_a_table_too() -> None:
    async def rows() -> AsyncIterator[dict[str, Any]]:
        yield {"n": -1, "text": "-1", "more": None}

    written = b"".join(
        await read(TableResponse(rows(), columns=("n", "text", "more"), name="a.csv"))
    )
    assert written.decode("utf-8-sig") == "n,text,more\r\n-1,'-1,\r\n"


async def test_pages_follow_a_key_of_several_fields_and_skip_nothing(users: int) -> None:
    found = [
        one["username"]
        async for page in pages(
            Users.objects.values("first_name", "username"), by=["first_name", "username"], rows=100
        )
        for one in page
    ]
    assert len(found) == users == len(set(found))
    assert found == sorted(found, key=lambda name: (int(name[1:]) % 7, name))


async def test_no_page_counts_what_it_skips(users: int) -> None:
    statements: list[str] = []

    def read_and_note(query: Any) -> list[Any]:
        with CaptureQueriesContext(connection) as caught:
            rows = list(query)
        statements.extend(one["sql"] for one in caught.captured_queries)
        return rows

    async for _ in pages(Users.objects.values("id"), by=["id"], rows=500, read=read_and_note):
        pass
    assert len(statements) == 3
    assert not any("OFFSET" in one for one in statements)


async def test_what_is_written_meanwhile_does_not_disturb_the_pages(users: int) -> None:
    seen = []
    async for page in pages(Users.objects.values("id", "username"), by=["username"], rows=400):
        seen += [one["username"] for one in page]
        if len(seen) == 400:
            await Users.objects.filter(username__in=["u0000", "u0800"]).adelete()
            await Users.objects.acreate(username="u0100b")
            await Users.objects.acreate(username="u9999")
    assert len(seen) == len(set(seen)) == users
    assert seen[-1] == "u9999" and "u0800" not in seen


def test_a_name_says_which_table_it_is() -> None:
    with pytest.raises(ValueError):
        TableResponse(Users.objects.all(), columns=("id",), name="people.xlsx")
