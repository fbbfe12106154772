"""The administration: what it shows, what it never lets one change, and what it costs."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from conversations.admin.filters import REASONS
from conversations.admin.reasons import WORDS, in_words
from conversations.admin.search import MOST_MESSAGES
from conversations.admin.transcript import PER_PAGE, in_order
from conversations.models import Conversation, Guest, Message, Person, new_id
from streaming.models import Fragment, Run, Worker

pytestmark = pytest.mark.django_db

MOST_QUERIES = 15
LIST = "admin:holdfast_conversations_conversation_changelist"
CHANGE = "admin:holdfast_conversations_conversation_change"
DELETE = "admin:holdfast_conversations_conversation_delete"
RUNS = "admin:holdfast_streaming_run_changelist"
USERS = "admin:auth_user_changelist"


@pytest.fixture
def alice() -> Any:
    user = get_user_model().objects.create_user("alice")
    Person.objects.create(user=user)
    return user


@pytest.fixture
def staff(client: Client) -> Client:
    boss = get_user_model().objects.create_superuser("boss")
    client.force_login(boss)
    return client


@pytest.fixture
def conversation(alice: Any) -> Conversation:
    return Conversation.objects.create(owner=alice, title="Rivers", updated_at=timezone.now())


def _say(
    conversation: Conversation, text: str, parent: Message | None = None, **fields: Any
) -> Message:
    now = timezone.now()
    message = Message(
        conversation=conversation,
        parent=parent,
        created_at=now,
        **{"role": "user", "settled_at": now, **fields},
    )
    message.parts = [{"kind": "text", "text": text}] if text else []
    message.content = text
    message.save()
    Conversation.objects.filter(pk=conversation.pk).update(head=message)
    conversation.head = message
    return message


def _reply(conversation: Conversation, text: str, parent: Message, **fields: Any) -> Message:
    reply = {"role": "assistant", "provider": "demo", "model": "demo", "reason": "stop"}
    return _say(conversation, text, parent, **{**reply, **fields})


def _running(conversation: Conversation, owner: Any, *texts: str) -> Run:
    question = _say(conversation, "How long is it?")
    reply = _reply(conversation, "", question, status="running", reason="", settled_at=None)
    worker = Worker.objects.create(id=new_id(), host="alpha", pid=77)
    run = Run.objects.create(
        id=reply.id,
        worker_id=worker.id,
        claim=new_id(),
        owner_key=str(owner.pk),
        about={"conversation_id": str(conversation.id), "model": "demo"},
        started_at=timezone.now() - timedelta(seconds=90),
    )
    end = 0
    for text in texts:
        end += len(text)
        Fragment.objects.create(run_id=run.id, part=1, kind="text", end=end, text=text)
    return run


def _page(staff: Client, name: str, *args: Any, **query: Any) -> str:
    response = staff.get(f"{reverse(name, args=args)}?{urlencode(query)}")
    assert response.status_code == 200, response
    return response.content.decode()


def _titles(staff: Client, **query: Any) -> set[str]:
    response = staff.get(f"{reverse(LIST)}?{urlencode(query)}")
    assert response.status_code == 200, response
    return {row.title for row in response.context["cl"].result_list}


# What the pages show.


def test_messages_are_read_in_order_with_the_visible_branch_first(
    staff: Client, conversation: Conversation
) -> None:
    question = _say(conversation, "Which river is longest?")
    _reply(conversation, "A second opinion.", question)
    reply = _reply(conversation, "The Nile.", question)
    _say(conversation, "And in Europe?", reply)
    page = _page(staff, CHANGE, conversation.id)
    order = ["Which river is longest?", "The Nile.", "And in Europe?", "A second opinion."]
    places = [page.index(text) for text in order]
    assert places == sorted(places)
    assert page.index("Another branch, from message 2 on") > places[2]
    assert page.count("message-aside") == 1


def test_branches_keep_their_replies_together() -> None:
    """Two visible, a branch of two beside the second, and another root with a fork."""
    parents = {
        "1": None, "2": "1", "a": "1", "b": "a", "x": None, "y": "x", "z": "x",
    }  # fmt: skip
    places = in_order(parents, "2")  # type: ignore[arg-type]
    shown = [(one.message_id, one.number, one.visible, one.forks) for one in places]
    assert shown == [
        ("1", 1, True, False),
        ("2", 2, True, False),
        ("x", 1, False, True),
        ("y", 2, False, False),
        ("z", 2, False, True),
        ("a", 2, False, True),
        ("b", 3, False, False),
    ]


def test_a_conversation_without_a_head_shows_all_its_messages() -> None:
    parents = {"1": None, "2": "1"}
    assert len(in_order(parents, None)) == 2  # type: ignore[arg-type]


def test_long_texts_are_folded_and_whole(staff: Client, conversation: Conversation) -> None:
    text = "\n".join(f"line {number}" for number in range(400))
    _say(conversation, text)
    page = _page(staff, CHANGE, conversation.id)
    assert f"<summary>All {len(text)} characters</summary>" in page
    shown = "".join(
        part.split("</div>")[0] for part in page.split('<div class="message-text">')[1:]
    )
    assert shown == text


def test_markup_in_a_message_is_text(staff: Client, conversation: Conversation) -> None:
    _say(conversation, "<script>alert(1)</script>")
    page = _page(staff, CHANGE, conversation.id)
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_what_its_reader_thinks_of_a_reply_is_shown(
    staff: Client, conversation: Conversation
) -> None:
    question = _say(conversation, "How deep?")
    _reply(conversation, "Very", question, rating=-1, comment="no <b>figure</b>")
    page = _page(staff, CHANGE, conversation.id)
    assert "<strong>Bad reply</strong>: no &lt;b&gt;figure&lt;/b&gt;" in page
    assert page.count("message-rating") == 1


def test_a_long_conversation_comes_in_pages(staff: Client, conversation: Conversation) -> None:
    last = None
    for number in range(PER_PAGE + 3):
        last = _say(conversation, f"number {number}.", last)
    first, second = (_page(staff, CHANGE, conversation.id, page=page) for page in (1, 2))
    assert f"number {PER_PAGE - 1}." in first
    assert f"number {PER_PAGE}." not in first
    assert f"number {PER_PAGE}." in second
    assert f"number {PER_PAGE - 1}." not in second


def test_a_live_run_shows_its_text_so_far(
    staff: Client, alice: Any, conversation: Conversation
) -> None:
    _running(conversation, alice, "Six thousand ", "and some kilo")
    page = _page(staff, CHANGE, conversation.id)
    assert "Six thousand and some kilo" in page
    assert "a reply is in flight" in page


def test_usage_is_summed(staff: Client, conversation: Conversation) -> None:
    question = _say(conversation, "Q")
    for output_tokens in (5, 7):
        _reply(conversation, "A", question, input_tokens=10, output_tokens=output_tokens)
    assert "tokens in 20, out 12" in " ".join(_page(staff, CHANGE, conversation.id).split())
    assert "20 / 12" in _page(staff, LIST)


def test_the_chat_page_is_one_click_away(staff: Client, conversation: Conversation) -> None:
    page = _page(staff, CHANGE, conversation.id)
    assert f'href="{conversation.get_absolute_url()}"' in page
    assert reverse(CHANGE, args=[conversation.id]).endswith(f"/{conversation.id}/change/")


def test_a_run_is_listed_with_owner_model_worker_and_age(
    staff: Client, alice: Any, conversation: Conversation
) -> None:
    _running(conversation, alice)
    page = _page(staff, RUNS)
    for text in ("alice", "demo", "alpha:77", reverse(CHANGE, args=[conversation.id])):
        assert text in page
    assert re.search("1 min 3[0-9] s", page)


def test_a_run_of_a_worker_that_is_gone_is_still_listed(
    staff: Client, alice: Any, conversation: Conversation
) -> None:
    run = _running(conversation, alice)
    Worker.objects.all().delete()
    assert "lost" in _page(staff, RUNS)
    assert "lost" in _page(staff, "admin:holdfast_streaming_run_change", run.id)


# Finding.


def test_search_finds_titles_texts_owners_and_ids(
    staff: Client, alice: Any, conversation: Conversation
) -> None:
    other = Conversation.objects.create(
        owner=get_user_model().objects.create_user("bob"), title="Hills", updated_at=timezone.now()
    )
    message = _say(other, "Über den Wolken, and BELOW them")
    assert _titles(staff, q="river") == {"Rivers"}
    assert _titles(staff, q="bob") == {"Hills"}
    assert _titles(staff, q="über") == {"Hills"}
    assert _titles(staff, q="below") == {"Hills"}
    assert _titles(staff, q=str(message.id)) == {"Hills"}
    assert _titles(staff, q=str(conversation.id)) == {"Rivers"}
    assert _titles(staff, q="nobody said this") == set()


def test_a_search_takes_the_newest_messages(staff: Client, alice: Any) -> None:
    now = timezone.now()
    rows = [
        Conversation(owner=alice, title=str(number), updated_at=now + timedelta(seconds=number))
        for number in range(MOST_MESSAGES + 1)
    ]
    Conversation.objects.bulk_create(rows)
    Message.objects.bulk_create(
        Message(
            conversation=row,
            role="user",
            content="gravel",
            settled_at=now,
            created_at=row.updated_at,
        )
        for row in rows
    )
    response = staff.get(reverse(LIST), {"q": "gravel"})
    assert response.context["cl"].result_count == MOST_MESSAGES
    assert response.context["cl"].result_list[0].title == str(MOST_MESSAGES)


def test_filters_together_ask_for_one_reply_that_is_all_of_it(staff: Client, alice: Any) -> None:
    both = Conversation.objects.create(owner=alice, title="both", updated_at=timezone.now())
    _reply(both, "", _say(both, "Q"), status="failed", reason="deadline", provider="a", model="m")
    split = Conversation.objects.create(owner=alice, title="split", updated_at=timezone.now())
    question = _say(split, "Q")
    _reply(split, "", question, status="failed", reason="internal", provider="b", model="n")
    _reply(split, "A", question, provider="a", model="m")
    assert _titles(staff, status="failed") == {"both", "split"}
    assert _titles(staff, provider="a") == {"both", "split"}
    assert _titles(staff, status="failed", provider="a") == {"both"}
    assert _titles(staff, reason="internal") == {"split"}
    assert _titles(staff, model="n") == {"split"}
    assert _titles(staff, reason="no such reason") == set()


def test_the_filters_offer_what_there_is(staff: Client, conversation: Conversation) -> None:
    question = _say(conversation, "Q")
    for name in ("zeta", "alpha", "zeta"):
        _reply(conversation, "A", question, provider=name, model=f"{name}-1")
    page = _page(staff, LIST)
    assert page.count("provider=zeta") == 1
    assert page.index("?model=alpha-1") < page.index("?model=zeta-1")


def test_outcome_chooses_the_reasons(staff: Client, conversation: Conversation) -> None:
    page = _page(staff, LIST, status="interrupted")
    assert "reason=worker_lost" in page
    assert "reason=deadline" not in page


@pytest.mark.parametrize(("status", "reasons"), REASONS.items())
def test_every_reason_has_words(status: str, reasons: tuple[str, ...]) -> None:
    for reason in reasons:
        assert str(WORDS[reason])
        with translation.override("zh-hans"):
            assert not in_words(reason).isascii(), reason


def test_a_reason_is_read_in_the_language_of_the_staff(
    staff: Client, conversation: Conversation
) -> None:
    question = _say(conversation, "Q")
    _reply(conversation, "A", question, status="interrupted", reason="worker_lost")
    staff.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    page = _page(staff, LIST, status="interrupted")
    assert page.count("工作进程丢失") == 2
    assert "worker lost" not in page
    assert "Holdfast 管理后台" in page
    assert "工作进程丢失" in _page(staff, CHANGE, conversation.pk)


def test_the_files_of_a_message_are_named(staff: Client, conversation: Conversation) -> None:
    question = _say(conversation, "Look")
    file = {"id": str(new_id()), "name": "a<b>.txt", "content_type": "text/plain", "size": 2048}
    question.parts = [{"kind": "attachment", "attachment": file}, *question.parts]
    question.save()
    page = _page(staff, CHANGE, conversation.pk)
    assert "a&lt;b&gt;.txt" in page
    assert "2.0\xa0KB" in page
    assert "Look" in page


# What it never lets one change.


def _form(conversation: Conversation, **changes: Any) -> dict[str, Any]:
    return {
        "title": conversation.title,
        "model": conversation.model,
        "system_prompt": conversation.system_prompt,
        "settings": "{}",
        "initial-settings": "{}",
        "_save": "Save",
        **changes,
    }


def test_a_form_saves_only_what_it_changed(staff: Client, conversation: Conversation) -> None:
    moved = timezone.now() + timedelta(hours=1)
    with CaptureQueriesContext(connection) as queries:
        staff.post(
            reverse(CHANGE, args=[conversation.id]),
            _form(conversation, title="Streams", updated_at=str(moved), head=str(new_id())),
        )
    updates = [
        query["sql"] for query in queries if 'UPDATE "holdfast_conversations_conv' in query["sql"]
    ]
    assert len(updates) == 1
    assert updates[0].split(" WHERE ")[0].count('" = ') == 1
    saved = Conversation.objects.get()
    assert saved.title == "Streams"
    assert saved.updated_at == conversation.updated_at


def test_a_form_without_a_change_writes_no_conversation(
    staff: Client, conversation: Conversation
) -> None:
    with CaptureQueriesContext(connection) as queries:
        staff.post(reverse(CHANGE, args=[conversation.id]), _form(conversation))
    assert not [q for q in queries if 'UPDATE "holdfast_conversations_conv' in q["sql"]]


def test_a_change_tells_the_owner_and_gives_the_conversation_to_nobody(
    staff: Client, alice: Any, conversation: Conversation
) -> None:
    boss = get_user_model().objects.get(username="boss")
    changes = _form(conversation, title="Streams", owner=boss.pk)
    assert staff.post(reverse(CHANGE, args=[conversation.id]), changes).status_code == 302
    saved = Conversation.objects.get()
    assert (saved.title, saved.owner) == ("Streams", alice)
    assert list(Person.objects.values_list("user__username", "revision")) == [("alice", 1)]


@pytest.mark.parametrize(
    "unfit",
    [
        *("[1]", '"abc"', "0", "false", "{", '{"temperature": 3}', '{"temperature": NaN}'),
        *('{"max_output_tokens": "x"}', '{"max_output_tokens": 0}', '{"max_tokens": 5}'),
    ],
)
def test_settings_that_would_fail_each_start_are_refused(
    staff: Client, conversation: Conversation, unfit: str
) -> None:
    page = staff.post(reverse(CHANGE, args=[conversation.id]), _form(conversation, settings=unfit))
    assert page.status_code == 200
    assert page.context["adminform"].form.errors.keys() == {"settings"}
    assert Conversation.objects.get().settings == {}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (
            '{"temperature": 0.5, "max_output_tokens": 9}',
            {"temperature": 0.5, "max_output_tokens": 9},
        ),
        ('{"temperature": null}', {}),
        ("", {}),
    ],
)
def test_settings_are_kept_as_the_api_keeps_them(
    staff: Client, conversation: Conversation, given: str, kept: dict[str, Any]
) -> None:
    Conversation.objects.update(settings={"temperature": 1})
    changes = _form(conversation, settings=given)
    assert staff.post(reverse(CHANGE, args=[conversation.id]), changes).status_code == 302
    assert Conversation.objects.get().settings == kept


def test_a_change_of_a_user_saves_only_that(staff: Client, alice: Any) -> None:
    with CaptureQueriesContext(connection) as queries:
        response = staff.post(
            reverse("admin:auth_user_change", args=[alice.pk]),
            {
                "username": "alice",
                "email": "alice@example.org",
                "is_active": "on",
                "date_joined_0": alice.date_joined.strftime("%Y-%m-%d"),
                "date_joined_1": alice.date_joined.strftime("%H:%M:%S"),
                "last_login_0": "",
                "last_login_1": "",
            },
        )
    assert response.status_code == 302
    updates = [query["sql"] for query in queries if 'UPDATE "auth_user"' in query["sql"]]
    assert len(updates) == 1
    assert '"email"' in updates[0]
    assert '"password"' not in updates[0]
    assert '"last_login"' not in updates[0]


def test_messages_and_runs_cannot_be_added_or_changed(
    staff: Client, alice: Any, conversation: Conversation
) -> None:
    assert not admin.site.is_registered(Fragment)
    said = _say(conversation, "As it was")
    assert staff.get(reverse("admin:holdfast_conversations_message_add")).status_code == 403
    said_url = reverse("admin:holdfast_conversations_message_change", args=[said.pk])
    assert staff.post(said_url, {"content": "Another"}).status_code == 403
    run = _running(conversation, alice)
    for app_model in ("holdfast_streaming_run", "holdfast_streaming_worker"):
        assert staff.get(reverse(f"admin:{app_model}_add")).status_code == 403
    assert staff.get(reverse("admin:holdfast_conversations_conversation_add")).status_code == 403
    assert (
        staff.get(reverse("admin:holdfast_streaming_run_delete", args=[run.id])).status_code == 403
    )
    url = reverse("admin:holdfast_streaming_run_change", args=[run.id])
    assert staff.post(url, {"on_disconnect": "stop"}).status_code == 403


# Ending what is live.


def _act(staff: Client, name: str, action: str, *ids: Any, **more: Any) -> None:
    data = {"action": action, "_selected_action": [str(one) for one in ids], **more}
    response = staff.post(reverse(name), data, follow=True)
    assert response.status_code == 200


def test_deleting_a_conversation_ends_its_run(
    staff: Client, alice: Any, conversation: Conversation
) -> None:
    _running(conversation, alice)
    assert "Messages: 2" in _page(staff, DELETE, conversation.id)
    staff.post(reverse(DELETE, args=[conversation.id]), {"post": "yes"})
    assert not Conversation.objects.exists()
    assert Run.objects.get().discarded


def test_deleting_many_conversations_ends_their_runs(
    staff: Client, alice: Any, conversation: Conversation
) -> None:
    _running(conversation, alice)
    ids = [conversation.id]
    for _ in range(120):
        row = Conversation.objects.create(owner=alice, updated_at=timezone.now())
        ids.append(row.id)
    _act(staff, LIST, "delete_selected", *ids, post="yes")
    assert not Conversation.objects.exists()
    assert Run.objects.get().discarded


@pytest.mark.parametrize("many", [False, True])
def test_deleting_a_user_ends_their_runs(
    staff: Client, alice: Any, conversation: Conversation, many: bool
) -> None:
    _running(conversation, alice)
    if many:
        _act(staff, USERS, "delete_selected", alice.pk, post="yes")
    else:
        url = reverse("admin:auth_user_delete", args=[alice.pk])
        assert "Conversations: 1" in _page(staff, "admin:auth_user_delete", alice.pk)
        staff.post(url, {"post": "yes"})
    assert not get_user_model().objects.filter(pk=alice.pk).exists()
    assert not Message.objects.exists()
    assert Run.objects.get().discarded


def test_a_run_can_be_stopped_from_the_list(
    staff: Client, alice: Any, conversation: Conversation
) -> None:
    run = _running(conversation, alice, "Six ")
    url = reverse("admin:holdfast_streaming_run_stop", args=[run.id])
    assert staff.get(url).status_code == 403
    assert staff.post(url, follow=True).status_code == 200
    run.refresh_from_db()
    assert run.stop_requested_at is not None
    assert "stop requested" in _page(staff, RUNS)


def test_stopping_needs_its_permission(
    client: Client, alice: Any, conversation: Conversation
) -> None:
    run = _running(conversation, alice)
    viewer = get_user_model().objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(_permission("view_run"))
    client.force_login(viewer)
    assert client.get(reverse(RUNS)).status_code == 200
    url = reverse("admin:holdfast_streaming_run_stop", args=[run.id])
    assert client.post(url).status_code == 403
    run.refresh_from_db()
    assert run.stop_requested_at is None


def _permission(codename: str) -> Any:
    return Permission.objects.get(codename=codename)


# What the pages cost.


@pytest.fixture
def plenty(staff: Client, alice: Any, conversation: Conversation) -> Client:
    """Thousands of messages, hundreds of people, tens of runs."""
    call_command("make_sample_data", "--messages", "3000", "--users", "20", verbosity=0)
    for number in range(60):
        guest = get_user_model().objects.create(username=f"guest-{number}")
        Guest.objects.create(user=guest)
        row = Conversation.objects.create(owner=guest, updated_at=timezone.now())
        _running(row, guest, "so far")
    return staff


def _counted(staff: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        response = staff.get(url)
    assert response.status_code == 200, url
    return len(queries)


def _every_page() -> list[str]:
    urls = [reverse("admin:index")]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        urls.append(reverse(f"{name}_changelist"))
        rows = model._default_manager.order_by("pk")
        urls += [
            reverse(f"{name}_change", args=[row.pk]) for row in (rows.first(), rows.last()) if row
        ]
    return urls


def test_every_list_and_page_takes_few_queries(plenty: Client) -> None:
    assert admin.site.is_registered(Conversation)
    assert len(_every_page()) >= 12
    for url in _every_page():
        assert _counted(plenty, url) <= MOST_QUERIES, url


@pytest.mark.parametrize(
    "query",
    [
        "q=Ankara",
        "q=sample",
        "q=no+such+text",
        "status=failed",
        "status=failed&reason=deadline&provider=openai&model=gpt-4o-mini",
        "provider=demo&q=price",
        "updated_at__year=2026",
        "pinned__exact=1&archived__exact=0",
        "p=2",
        "all=",
        "o=1.-3",
    ],
)
def test_finding_conversations_takes_few_queries(staff: Client, query: str) -> None:
    call_command("make_sample_data", "--messages", "600", verbosity=0)
    assert _counted(staff, f"{reverse(LIST)}?{query}") <= MOST_QUERIES


@pytest.mark.parametrize("name", [RUNS, USERS, LIST])
def test_rows_cost_no_queries_of_their_own(
    staff: Client, alice: Any, conversation: Conversation, name: str
) -> None:
    _running(conversation, alice)
    few = _counted(staff, reverse(name))
    for number in range(5):
        user = get_user_model().objects.create(username=f"user-{number}")
        _running(Conversation.objects.create(owner=user, updated_at=timezone.now()), user)
    assert _counted(staff, reverse(name)) == few


def test_asking_whether_to_delete_loads_no_messages(
    staff: Client, alice: Any, conversation: Conversation
) -> None:
    for number in range(50):
        _say(conversation, f"message {number}")
    url = reverse(DELETE, args=[conversation.id])
    with CaptureQueriesContext(connection) as queries:
        staff.get(url)
    assert not [q for q in queries if '"holdfast_conversations_message"."content"' in q["sql"]]
