"""The documents name everything there is, and nothing that there is not."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from conversations import routing
from conversations.exceptions import ChatError
from conversations.models import Conversation, Message
from conversations.shapes import conversation_shape, message_shape
from conversations.sync import Kind
from streaming import consumers, outcome
from streaming.conf import conf, keys
from streaming.events import Delta, Ended, Event, Ping, Started, State
from streaming.frames import Command
from tests.test_env_example import READ

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
README = (ROOT / "README.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()

BESIDE_CHAT_ERRORS = {"internal"}
"""Codes that are no ChatError: what we did wrong."""

CHOSEN_IN_SETTINGS = {"RECORDER", "RUN_DIRECTORY"}
"""Keys whose defaults stand in `chatproject/settings.py`."""

PLACES = ("chatproject", "conversations", "streaming", "tests", "docs", "scripts")
PATH = re.compile(rf"`((?:{'|'.join(PLACES)})/[\w./-]*\.\w+)((?:::|:)\w+)?`")
NAME = re.compile(r"`(\w+(?:\.test)?\.(?:py|js|md|css))`")


def table(text: str, heading: str) -> list[list[str]]:
    """Give the rows of the table whose first header cell is this."""
    lines = text.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    rows = []
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def codes(rows: list[list[str]], column: int = 0) -> list[str]:
    """Give the words in code marks of one column, in order."""
    return [word for row in rows for word in re.findall(r"`([\w.]+)`", row[column])]


def errors(base: type[ChatError] = ChatError) -> Iterator[type[ChatError]]:
    for kind in base.__subclasses__():
        if "code" in vars(kind):
            yield kind
        yield from errors(kind)


def reasons() -> dict[str, set[str]]:
    return {
        "completed": set(outcome.COMPLETED_REASONS),
        "stopped": set(outcome.STOPPED_REASONS),
        "interrupted": set(outcome.INTERRUPTED_REASONS),
        "failed": set(outcome.FAILED_REASONS),
    }


def test_every_variable_of_the_environment_is_documented() -> None:
    sources = [ROOT / "chatproject" / "settings.py", ROOT / "chatproject" / "env.py"]
    read = {name for source in sources for name in READ.findall(source.read_text())}
    tables = re.findall(r"^\| (`[A-Z].*?) \|", README, re.MULTILINE)
    documented = [word for cell in tables for word in re.findall(r"`([A-Z_]+)`", cell)]
    assert len(documented) == len(set(documented))
    assert set(documented) == read | {f"STREAMING_{key}" for key in keys()}


def test_documented_defaults_of_streaming_are_the_real_ones() -> None:
    default = type(conf())()
    for key in set(keys()) - CHOSEN_IN_SETTINGS:
        value = getattr(default, key.lower())
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        row = re.search(rf"^\| `STREAMING_{key}` \| `([^`]+)`", README, re.MULTILINE)
        assert row and row[1] == shown, f"{key}: {row and row[1]}, but it is {shown}"


def test_every_error_code_is_documented() -> None:
    rows = table(PROTOCOL, "code")
    documented = {code: int(row[1]) for row in rows for code in codes([row])}
    assert len(documented) == len(rows)
    ours = {kind.code: kind.http_status for kind in errors()}
    assert documented == ours | dict.fromkeys(BESIDE_CHAT_ERRORS, 500)


def test_errors_that_say_when_to_come_back_are_documented_so() -> None:
    waits = {kind.code for kind in errors() if kind.http_status in (429, 503)}
    said = {
        code for row in table(PROTOCOL, "code") if "Retry-After" in row[2] for code in codes([row])
    }
    assert said == waits


def test_every_reason_is_documented_under_its_status() -> None:
    documented: dict[str, set[str]] = {}
    status = ""
    for row in table(PROTOCOL, "status"):
        status = (codes([row]) or [status])[0]
        documented.setdefault(status, set()).update(codes([row], 1))
    assert documented == reasons()


def test_every_event_is_documented() -> None:
    rows = table(PROTOCOL, "event")
    assert set(codes(rows)) == {kind.__name__.lower() for kind in get_args(Event)}
    fields = {codes([row])[0]: set(codes([row], 1)) for row in rows}
    assert fields["delta"] == set(Delta.__struct_fields__) - {"cursor"}
    assert fields["ping"] == set(Ping.__struct_fields__) | set(get_args(State))
    assert set(Ended.__struct_fields__) <= fields["ended"]
    assert set(Started.__struct_fields__) - {"about"} <= fields["started"]


def test_every_command_of_the_socket_is_documented() -> None:
    rows = table(PROTOCOL, "a client says")
    documented = {kind for row in rows for kind in re.findall(r'"type": "(\w+)"', row[0])}
    known = {kind.__struct_config__.tag for kind in get_args(Command)}
    assert documented == known | {"send"}


def test_every_sync_event_is_documented() -> None:
    said = codes(table(PROTOCOL, "type"))
    assert sorted(said) == sorted(get_args(Kind))
    code = "".join(path.read_text() for path in ROOT.glob("conversations/**/*.py"))
    assert {kind for kind in said if f'("{kind}"' in code} == set(said)


def test_every_close_code_is_documented() -> None:
    ours = {
        value
        for module in (consumers, routing)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, int) and 1000 <= value < 5000
    }
    assert {int(row[0]) for row in table(PROTOCOL, "close code")} == ours


def test_every_path_of_the_api_is_documented() -> None:
    from conversations.api import api

    documented = set()
    for row in table(PROTOCOL, "method and path"):
        for method, path in re.findall(r"(GET|POST|PATCH|DELETE) (/api/[\w/{}.]*)", row[0]):
            documented.add((method, re.sub(r"\{\w+\}", "{}", path)))
    documented -= {("GET", "/api/openapi.json")}
    paths = {"/api/runs/{}/events": ("get",), **api.get_openapi_schema()["paths"]}
    assert documented == {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, methods in paths.items()
        for method in methods
    }


def test_shapes_are_documented_as_they_are() -> None:
    shapes = {
        "Conversation": conversation_shape(Conversation()),
        "Message": message_shape(Message(role=Message.Role.ASSISTANT), None),
    }
    for name, shape in shapes.items():
        said = re.search(rf"^{name}: `\{{(.+?)\}}`([^.]*)", PROTOCOL, re.MULTILINE | re.DOTALL)
        assert said
        fields = re.sub(r"\[.*?\]", "", said[1], flags=re.DOTALL)
        named = set(re.findall(r"\w+", fields)) | set(re.findall(r"`(\w+)`", said[2]))
        assert named == set(shape), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_is_there(document: Path) -> None:
    for path, name in PATH.findall(document.read_text()):
        found = ROOT / path
        assert found.exists(), f"{path} does not exist"
        wanted = name.lstrip(":")
        if wanted:
            defined = rf"^(?:async def|def|class) {wanted}\b|^{wanted}\b.* = "
            assert re.search(defined, found.read_text(), re.MULTILINE), f"{path} has no {wanted}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_reasons_that_a_document_names_exist(document: Path) -> None:
    named = re.findall(r"`(upstream_\w+|worker_lost|shutdown|no_\w+)`", document.read_text())
    assert set(named) <= set().union(*reasons().values())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_modules_that_a_document_names_are_there(document: Path) -> None:
    ours = {
        path.name
        for place in (".", "docs", "chatproject", "conversations", "streaming", "tests")
        for path in (ROOT.glob("*") if place == "." else (ROOT / place).rglob("*"))
    }
    assert set(NAME.findall(document.read_text())) <= ours


def test_every_module_of_streaming_has_its_place_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    there = {path.name for path in (ROOT / "streaming").glob("*.py")} - {"__init__.py", "apps.py"}
    assert {name for name in there if f"`{name}`" not in text} == set()


def test_links_lead_to_files_of_this_repository() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
