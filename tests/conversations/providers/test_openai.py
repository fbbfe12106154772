"""Every fault of an upstream ends the reply as the contract says; over real sockets."""

import asyncio
import gzip
import json
import logging
import socket
import traceback
from contextlib import aclosing

import pytest
import pytest_asyncio

from conversations import conf
from conversations.providers.chunks import ChunkReader
from conversations.providers.openai import OpenAIProvider
from conversations.providers.sse_parser import ParsedEvent
from streaming import pacing
from streaming.pacing import Pace
from streaming.source import Finish, Progress, SourceFailed, Text, Usage
from tests.conversations.providers.conftest import ask, read
from tests.waiting import until

KEY = "key-nobody-may-see"
END = [{"finish": "stop"}, {"done": True}]


def provider_of(base_url, **options):
    given = {"base_url": base_url, "api_key": KEY, "models": ["any"]}
    return OpenAIProvider("openai", given | options)


@pytest_asyncio.fixture
async def provider(upstream):
    provider = provider_of(upstream.base_url, max_event_bytes=50_000)
    yield provider
    await provider.aclose()


def chunk_of(text):
    return json.dumps({"choices": [{"delta": {"content": text}}]}).encode()


def script(*steps, **more):
    return json.dumps({"steps": steps} | more)


async def play(provider, *steps, **more):
    return await read(provider.stream(ask(script(*steps, **more))))


async def test_request_says_who_asks_and_what(provider, upstream):
    await read(provider.stream(ask("Hi", model="m", temperature=0.0, max_output_tokens=7)))
    [seen] = upstream.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["user-agent"] == conf.user_agent() != ""
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.body == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.0,
        "max_tokens": 7,
    }


async def test_options_change_the_request(upstream):
    provider = provider_of(
        upstream.base_url + "/",
        api_key="",
        max_tokens_parameter="max_completion_tokens",
        extra_body={"top_p": 0.5},
    )
    await read(provider.stream(ask("Hi", max_output_tokens=7)))
    await provider.aclose()
    [seen] = upstream.seen
    assert "authorization" not in seen.headers
    assert (seen.body["max_completion_tokens"], seen.body["top_p"]) == (7, 0.5)


async def test_text_usage_and_finish_arrive_in_order(provider):
    found = await play(
        provider, {"text": "Good"}, {"text": "bye"}, {"finish": "stop"}, {"usage": [3, 5]}, END[1]
    )
    said = [item for item in found.items if not isinstance(item, Progress)]
    assert found.text == "Goodbye"
    assert all(isinstance(item, Text) for item in said[:-2])
    assert said[-2:] == [Usage(3, 5), Finish("stop")]


def test_texts_that_came_together_are_joined_up_to_what_stands_between_them():
    said = ["a", "b", {"usage": [1, 2]}, "c", "d"]
    usage = b'{"usage":{"prompt_tokens":1,"completion_tokens":2}}'
    events = [ParsedEvent(b"", usage if isinstance(one, dict) else chunk_of(one)) for one in said]
    assert list(ChunkReader().read_all(events)) == [Text("ab"), Usage(1, 2), Text("cd")]


def test_texts_before_an_error_that_came_with_them_are_kept():
    events = [ParsedEvent(b"", chunk_of("a")), ParsedEvent(b"", chunk_of("b"))]
    items = ChunkReader().read_all([*events, ParsedEvent(b"error", b"{}")])
    assert next(items) == Text("ab")
    with pytest.raises(SourceFailed, match="upstream_error"):
        next(items)


async def test_what_follows_a_piece_waits_in_its_socket_for_the_next_turn():
    more, written = asyncio.Event(), asyncio.Event()

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        kind = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        writer.write(kind + b'data: {"choices":[{"delta":{"content":"now"}}]}\n\n')
        await more.wait()
        writer.write(b'data: {"choices":[{"delta":{"content":" then"}}]}\n\n')
        await writer.drain()
        written.set()
        writer.close()

    pace = Pace(lambda: None)
    pacing.begin(pace)
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        provider = provider_of(f"http://127.0.0.1:{port}/v1")
        async with aclosing(provider.stream(ask("Hi"))) as items:
            assert await anext(items) == Text("now")
            following = asyncio.ensure_future(anext(items))
            await until(lambda: pace.wanted)
            more.set()
            await written.wait()
            await asyncio.wait([following], timeout=0.1)
            assert not following.done()
            pace.turn()
            assert await following == Text(" then")
        await provider.aclose()


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning_under_both_names(provider, field):
    found = await play(provider, {"reasoning": "Hm.", "field": field}, {"text": "Yes."}, *END)
    assert (found.reasoning, found.text) == ("Hm.", "Yes.")


async def test_reasoning_under_both_names_at_once_is_not_doubled(provider):
    delta = {"reasoning": "Hm.", "reasoning_content": "Hm."}
    found = await play(provider, {"event": {"choices": [{"delta": delta}]}}, *END)
    assert found.reasoning == "Hm."


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("eos", "stop"),
    ],
)
async def test_finish_reasons_become_ours(provider, theirs, ours):
    assert (await play(provider, {"text": "a"}, {"finish": theirs})).reason == f"completed:{ours}"


async def test_text_beside_the_finish_reason_is_kept(provider):
    choice = {"delta": {"content": "last"}, "finish_reason": "stop"}
    assert (await play(provider, {"event": {"choices": [choice]}})).text == "last"


@pytest.mark.parametrize(
    "event",
    [
        {"choices": []},
        {"choices": None},
        {},
        {"choices": [{"delta": {"role": None, "content": None}}]},
        {"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": ""}]},
        {"choices": [{"delta": None}]},
        {"choices": [{}], "usage": None, "error": None},
        {"choices": [{"delta": {"tool_calls": [{"index": 0}]}}], "x": [1, {"y": None}]},
    ],
)
async def test_events_without_text_are_signs_of_life(provider, event):
    found = await play(provider, {"event": event}, {"text": "a"}, *END)
    assert found.items[0] == Progress()
    assert (found.text, found.reason) == ("a", "completed:stop")


async def test_comments_are_signs_of_life(provider):
    found = await play(provider, {"send": ": OPENROUTER PROCESSING\n\n"}, {"text": "a"}, *END)
    assert found.items[:2] == [Progress(), Text("a")]


async def test_second_choice_is_left_out(provider):
    other = {"choices": [{"index": 1, "delta": {"content": "x"}, "finish_reason": "length"}]}
    found = await play(provider, {"text": "a"}, {"event": other}, *END)
    assert (found.text, found.reason) == ("a", "completed:stop")


async def test_refusal_is_said(provider):
    delta = {"delta": {"refusal": "No."}}
    assert (await play(provider, {"event": {"choices": [delta]}}, *END)).text == "No."


@pytest.mark.parametrize("split", [1, 2, 3, 7])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
async def test_bytes_may_be_cut_anywhere(provider, split, end):
    choice = {"choices": [{"delta": {"content": "渡し船 ⚓ 𝕠"}}]}
    body = f"\ufeff: hi{end}data: {json.dumps(choice, ensure_ascii=False)}{end}{end}"
    body += f"data: [DONE]{end}{end}"
    found = await play(provider, {"send": body}, split=split, split_pause_ms=0)
    assert (found.text, found.reason) == ("渡し船 ⚓ 𝕠", "completed:stop")


async def test_halves_of_a_character_arrive_as_they_are(provider):
    halves = [
        rf'data: {{"choices":[{{"delta":{{"content":"{half}"}}}}]}}' + "\n\n"
        for half in (r"\ud83d", r"\ude00")
    ]
    found = await play(provider, *({"send": half} for half in halves), *END)
    assert found.text == "\ud83d" + "\ude00"


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_finish_reason_without_done_is_completed(provider, framing):
    found = await play(provider, {"text": "a"}, {"finish": "length"}, framing=framing)
    assert (found.text, found.reason) == ("a", "completed:length")


async def test_done_without_finish_reason_is_completed(provider):
    assert (await play(provider, {"text": "a"}, {"done": True})).reason == "completed:stop"


async def test_done_without_the_last_blank_line_counts(provider):
    found = await play(provider, {"text": "a"}, {"send": "data: [DONE]"})
    assert found.reason == "completed:stop"


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_neither_is_incomplete(provider, framing):
    found = await play(provider, {"text": "a"}, framing=framing)
    assert (found.text, found.reason) == ("a", "upstream_incomplete")


async def test_empty_body_is_incomplete(provider):
    assert (await play(provider)).reason == "upstream_incomplete"


async def test_end_within_an_event_is_incomplete(provider):
    found = await play(provider, {"text": "a"}, {"send": 'data: {"choices":[{"del'})
    assert (found.text, found.reason) == ("a", "upstream_incomplete")


BAD = {
    "broken JSON": {"send": 'data: {"choices": [\n\n'},
    "no object": {"send": "data: 5\n\n"},
    "wrong type": {"event": {"choices": [{"delta": {"content": 5}}]}},
    "bad UTF-8": {"hex": b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n'.hex()},
    "too deep": {"send": "data: " + "[" * 20_000 + "\n\n"},
    "too large": {"send": "data: " + "x" * 60_000},
}


@pytest.mark.parametrize("step", BAD.values(), ids=BAD)
async def test_one_unparsable_event_is_bad_data(provider, step):
    found = await play(provider, {"text": "a"}, step, {"text": "b"}, *END)
    assert (found.text, found.reason) == ("a", "upstream_bad_data")


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "text/event-stream", "text/plain"])
async def test_html_is_bad_data(provider, kind):
    page = {"send": "<!doctype html>\n<p>Welcome to the portal</p>\n"}
    assert (await play(provider, page, headers={"Content-Type": kind})).reason == (
        "upstream_bad_data"
    )


async def test_gzip_is_understood_and_its_lie_is_bad_data(provider):
    packed = gzip.compress(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n')
    headers = {"Content-Encoding": "gzip"}
    found = await play(provider, {"hex": packed.hex()}, headers=headers)
    assert (found.text, found.reason) == ("a", "completed:stop")
    assert (await play(provider, {"text": "a"}, *END, headers=headers)).reason == (
        "upstream_bad_data"
    )


@pytest.mark.parametrize(
    "raw", ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\nbad\x00head\r\n\r\n"]
)
async def test_what_is_no_http_is_bad_data(provider, raw):
    assert (await play(provider, {"raw": raw})).reason == "upstream_bad_data"


async def test_answer_in_one_piece_is_taken(provider):
    whole = {
        "choices": [{"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
    found = await play(
        provider, {"send": json.dumps(whole)}, headers={"Content-Type": "application/json"}
    )
    assert found.items == [Text("Hi"), Usage(3, 1), Finish("stop")]


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        *((status, "upstream_refused", False) for status in (301, 400, 401, 402, 403, 404, 422)),
        (429, "upstream_rate_limited", True),
        *((status, "upstream_error", True) for status in (408, 500, 502, 503, 504, 529)),
    ],
)
async def test_status_becomes_a_reason(provider, upstream, status, reason, retryable):
    found = await read(provider.stream(ask("Hi", model=f"status-{status}")))
    assert (found.reason, found.failure.retryable) == (reason, retryable)
    assert len(upstream.seen) == 1


async def test_redirect_is_not_followed(provider, upstream):
    headers = {"Location": f"{upstream.base_url}/chat/completions"}
    assert (await play(provider, status=307, headers=headers)).reason == "upstream_refused"
    assert len(upstream.seen) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"message": "boom"}, "upstream_error"),
        ({"code": 500, "message": "boom"}, "upstream_error"),
        ({"code": 502}, "upstream_error"),
        ({"code": "server_error"}, "upstream_error"),
        ({"code": 429}, "upstream_rate_limited"),
        ({"code": "429"}, "upstream_rate_limited"),
        ({"code": "rate_limit_exceeded"}, "upstream_rate_limited"),
        ({"code": None, "type": "rate_limit_error"}, "upstream_rate_limited"),
        ({"code": 400, "type": "exceed_context_size_error"}, "upstream_refused"),
        ("boom", "upstream_error"),
        ({}, "upstream_error"),
    ],
)
async def test_error_in_mid_stream_keeps_the_text_before_it(provider, error, reason):
    found = await play(provider, {"text": "a"}, {"event": {"error": error}}, {"text": "b"}, *END)
    assert (found.text, found.reason) == ("a", reason)


async def test_event_named_error_is_one(provider):
    found = await play(provider, {"send": 'event: error\ndata: {"message": "boom"}\n\n'}, *END)
    assert found.reason == "upstream_error"


async def test_error_instead_of_a_stream(provider):
    found = await play(
        provider,
        {"send": '{"error": {"code": 429}}'},
        headers={"Content-Type": "application/json"},
    )
    assert found.reason == "upstream_rate_limited"


async def test_reset_in_mid_stream(provider):
    found = await play(provider, {"text": "a", "pause_ms": 300}, {"reset": True})
    assert (found.text, found.reason) == ("a", "upstream_reset")


@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_connection_that_ends_before_the_body_is_reset(provider, framing):
    more = {"headers": {"Content-Length": "9999"}} if framing == "length" else {}
    found = await play(provider, {"text": "a"}, {"close": True}, framing=framing, **more)
    assert (found.text, found.reason) == ("a", "upstream_reset")


async def test_connection_that_ends_before_the_head_is_reset(provider):
    assert (await play(provider, {"raw": ""})).reason == "upstream_reset"


@pytest.mark.parametrize(
    "fault",
    [{"reset": True}, {"close": True}, {"send": "data: {\n\n"}, {"event": {"error": "boom"}}],
    ids=["reset", "close", "bad data", "error"],
)
async def test_fault_behind_the_finish_reason_harms_nothing(provider, fault):
    found = await play(provider, {"text": "a"}, {"finish": "stop", "pause_ms": 300}, fault)
    assert (found.text, found.reason) == ("a", "completed:stop")


async def test_silence_behind_the_finish_reason_is_waited_for_shortly(provider):
    began = asyncio.get_running_loop().time()
    found = await play(provider, {"text": "a"}, {"finish": "stop"}, {"stall": True})
    assert found.reason == "completed:stop"
    assert asyncio.get_running_loop().time() - began < 5


async def test_usage_behind_the_finish_reason_is_waited_for(provider):
    found = await play(
        provider, {"text": "a"}, {"finish": "stop", "pause_ms": 300}, {"usage": [3, 5]}, END[1]
    )
    assert Usage(3, 5) in found.items


async def test_open_connection_behind_done_holds_nobody_up(provider):
    async with asyncio.timeout(15):
        assert (await play(provider, {"text": "a"}, *END, {"stall": True})).text == "a"


@pytest.mark.parametrize("count", [-1, 2**40])
async def test_absurd_usage_is_left_out(provider, count):
    found = await play(provider, {"text": "a"}, {"finish": "stop"}, {"usage": [count, 5]}, END[1])
    assert not any(isinstance(item, Usage) for item in found.items)


async def test_nobody_listens_is_unreachable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but it does not listen
        provider = provider_of(f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        found = await read(provider.stream(ask("Hi")))
        await provider.aclose()
    assert (found.reason, found.failure.retryable) == ("upstream_unreachable", True)


async def test_unknown_host_is_unreachable():
    provider = provider_of("http://nobody.invalid/v1")
    found = await read(provider.stream(ask("Hi")))
    await provider.aclose()
    assert found.reason == "upstream_unreachable"


async def test_connecting_is_bounded():
    """A full backlog takes no further connection, as a host that drops packets would."""
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        provider = provider_of(f"http://127.0.0.1:{deaf.getsockname()[1]}/v1", connect_seconds=0.3)
        async with asyncio.timeout(5):
            found = await read(provider.stream(ask("Hi")))
        await provider.aclose()
    assert found.reason == "upstream_unreachable"


async def test_text_arrives_while_the_upstream_is_silent(provider):
    asked = script({"text": "a"}, {"stall": True})
    async with aclosing(provider.stream(ask(asked))) as items, asyncio.timeout(5):
        assert await anext(items) == Text("a")


async def test_leaving_tells_the_upstream(provider, upstream):
    asked = script({"text": "a"}, {"stall": True})
    async with aclosing(provider.stream(ask(asked))) as items:
        await anext(items)
    async with asyncio.timeout(5):
        await upstream.seen[0].gone.wait()
    assert not upstream.seen[0].completed


async def test_cancelling_while_waiting_tells_the_upstream(provider, upstream):
    task = asyncio.create_task(play(provider, {"stall": True}))
    async with asyncio.timeout(5):
        await upstream.wait_for_requests(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await upstream.seen[0].gone.wait()


async def test_replies_in_a_row_share_a_connection(provider, upstream):
    for _ in range(3):
        await read(provider.stream(ask("Hi")))
    assert (len(upstream.seen), upstream.connections) == (3, 1)


async def test_more_than_a_hundred_replies_at_once(provider, upstream):
    tasks = [
        asyncio.create_task(play(provider, {"text": "a"}, {"stall": True})) for _ in range(130)
    ]
    async with asyncio.timeout(20):
        await upstream.wait_for_requests(130)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_connections_are_limited_as_told(upstream):
    provider = provider_of(upstream.base_url, max_connections=2)
    tasks = [
        asyncio.create_task(read(provider.stream(ask("a b", model="paced-50")))) for _ in "1234"
    ]
    found = await asyncio.gather(*tasks)
    await provider.aclose()
    assert [one.text for one in found] == ["a b "] * 4
    assert upstream.connections == 2


async def test_cookies_are_not_carried_to_the_next_person(upstream):
    # By name: cookie jars refuse addresses.
    provider = provider_of(f"http://localhost:{upstream.port}/v1")
    for _ in range(2):
        await play(provider, {"text": "a"}, *END, headers={"Set-Cookie": "who=alice; Path=/"})
    await provider.aclose()
    assert len(upstream.seen) == 2
    assert "cookie" not in upstream.seen[1].headers


async def test_client_of_another_event_loop_is_not_used(upstream):
    provider = provider_of(upstream.base_url)
    assert (await read(provider.stream(ask("a")))).text == "a "

    def elsewhere():
        async def main():
            try:
                return (await read(provider.stream(ask("b")))).text
            finally:
                await provider.aclose()

        return asyncio.run(main())

    here = provider._client._client
    assert await asyncio.to_thread(elsewhere) == "b "
    await here.aclose()


FAULTS = {
    "status": {"status": 401, "steps": [{"send": "secret body"}]},
    "error": {"steps": [{"event": {"error": {"message": "secret body"}}}]},
    "bad data": {"steps": [{"send": "data: secret body\n\n"}]},
    "head": {"steps": [{"raw": "secret body\r\n\r\n"}]},
    "bad UTF-8": {"steps": [{"hex": b"data: secret body\xff\n\n".hex()}]},
    "type": {"steps": [{"event": {"choices": "secret body"}}]},
    "chunk": {
        "steps": [{"raw": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret body"}]
    },
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_neither_key_nor_body_is_told(provider, fault, caplog):
    caplog.set_level(logging.DEBUG)
    found = await read(provider.stream(ask(json.dumps(fault))))
    told = "".join(traceback.format_exception(found.failure)) + caplog.text
    assert "secret" not in told
    assert KEY not in told


@pytest.mark.parametrize(
    "options", [{"api_key": "a\nb"}, {"api_key": "ключ"}, {"base_url": "nope/v1"}]
)
async def test_malformed_settings_refuse_quietly(upstream, options):
    provider = provider_of(**{"base_url": upstream.base_url} | options)
    found = await read(provider.stream(ask("Hi")))
    await provider.aclose()
    assert found.reason == "upstream_refused"
    assert "ключ" not in "".join(traceback.format_exception(found.failure))


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({}, []),
        ({"base_url": "https://api.example.com/v1"}, []),
        ({"base_url": "api.example.com/v1"}, ["E020"]),
        ({"base_url": "ftp://api.example.com/v1"}, ["E020"]),
        ({"base_url": "https://me:secret@api.example.com/v1"}, ["E021"]),
        ({"models": []}, ["E022"]),
        ({"api_key": "'a b'"}, ["E023"]),
        ({"base_url": "http://api.example.com/v1"}, ["W020"]),
    ],
)
def test_checks_name_what_is_wrong(options, ids):
    found = provider_of(**{"base_url": "http://127.0.0.1:1/v1"} | options).check()
    assert [message.id.partition(".")[2] for message in found] == ids
    assert all(message.hint and "secret" not in str(message) for message in found)


def test_models_are_offered_under_their_own_names():
    offered = provider_of("http://x/v1", models=["a", "b"], context_tokens=9).models()
    assert [(m.id, m.upstream_name, m.context_tokens) for m in offered] == [
        ("a", "a", 9),
        ("b", "b", 9),
    ]
