"""From which address a request comes."""

import pytest
from django.test import AsyncRequestFactory, RequestFactory

from conversations.limits.addresses import address_of, address_of_request, is_loopback
from tests.conftest import SetStreaming


def scope(client: tuple[str, int] | None = ("192.0.2.1", 40_000), **headers: str) -> dict:
    given = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return {"client": client, "headers": given}


@pytest.mark.parametrize(
    ("proxies", "said", "address"),
    [
        (0, None, "192.0.2.1"),
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.1, 203.0.113.9", "198.51.100.1"),
        (2, "203.0.113.9", "203.0.113.9"),
        (1, "203.0.113.9:4711", "203.0.113.9"),
        (1, '"[2001:db8:1:2:3:4:5:6]:4711"', "2001:db8:1:2::/64"),
        (1, "2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "unknown", "192.0.2.1"),
        (1, None, "192.0.2.1"),
        (1, " , ", "192.0.2.1"),
    ],
)
def test_each_trusted_proxy_counts_from_the_right(
    set_streaming: SetStreaming, proxies: int, said: str | None, address: str
) -> None:
    set_streaming(TRUSTED_PROXIES=proxies)
    assert address_of(scope(**({"x_forwarded_for": said} if said else {}))) == address


def test_a_header_in_several_lines_is_one(set_streaming: SetStreaming) -> None:
    set_streaming(TRUSTED_PROXIES=1)
    found = scope()
    found["headers"] = [(b"x-forwarded-for", b"203.0.113.1"), (b"x-forwarded-for", b"203.0.113.2")]
    assert address_of(found) == "203.0.113.2"


def test_what_the_server_took_from_the_header_is_nobodys_address(
    set_streaming: SetStreaming,
) -> None:
    set_streaming(TRUSTED_PROXIES=0)
    said = [scope(("203.0.113.1", 0), x_forwarded_for="203.0.113.1")]
    said += [scope(("203.0.113.2", 0), x_forwarded_for="203.0.113.2")]
    assert len({address_of(one) for one in said}) == 1


def test_without_an_address_there_is_none(set_streaming: SetStreaming) -> None:
    assert address_of(scope(None)) == ""


def test_a_request_has_the_address_of_its_scope_or_under_wsgi_of_its_peer(
    set_streaming: SetStreaming,
) -> None:
    assert address_of_request(AsyncRequestFactory().get("/")) == "127.0.0.1"
    assert address_of_request(RequestFactory(REMOTE_ADDR="192.0.2.7").get("/")) == "192.0.2.7"


def test_only_a_request_of_this_machine_itself_is_of_this_machine() -> None:
    assert is_loopback(scope(("127.0.0.1", 1)))
    assert is_loopback(scope(("::1", 1)))
    assert not is_loopback(scope())
    assert not is_loopback(scope(None))
    for name in ("x_forwarded_for", "forwarded", "x_real_ip", "via"):
        assert not is_loopback(scope(("127.0.0.1", 1), **{name: "203.0.113.1"}))
