"""Short dialogs for sample data: question and answer in turns, as people and models write them."""

from typing import NamedTuple


class Turn(NamedTuple):
    """A question and its answer; `other` is what another attempt said, where there is one."""

    question: str
    answer: str
    reasoning: str = ""
    other: str = ""


class Dialog(NamedTuple):
    """A conversation worth reading."""

    title: str
    turns: tuple[Turn, ...]


_CAPITALS = Dialog(
    "Capitals for a quiz",
    (
        Turn(
            "What is the capital of France?",
            "The capital of France is **Paris**.",
            other="Paris. It has been the seat of government almost without a break since 987.",
        ),
        Turn(
            "And which capitals do people usually get wrong?",
            "These five come up in nearly every quiz:\n\n"
            "| Country | Often said | Right |\n|---|---|---|\n"
            "| Australia | Sydney | **Canberra** |\n| Turkey | Istanbul | **Ankara** |\n"
            "| Brazil | Rio de Janeiro | **Brasília** |\n| Canada | Toronto | **Ottawa** |\n"
            "| Morocco | Casablanca | **Rabat** |\n",
            reasoning="They want capitals that differ from the largest city. A table reads best.",
        ),
        Turn(
            "Make three of them into quiz questions.",
            "1. Which city became Brazil's capital in 1960?\n"
            "2. Ankara or Istanbul: where does the Turkish parliament sit?\n"
            "3. Which Australian city was planned because two others could not agree?\n",
        ),
    ),
)

_PYTHON = Dialog(
    "Group words by first letter",
    (
        Turn(
            "How do I group a list of words by their first letter in Python?",
            "`itertools.groupby` wants sorted input, so a dictionary is simpler:\n\n"
            "```python\nfrom collections import defaultdict\n\n"
            "def by_first_letter(words):\n    groups = defaultdict(list)\n"
            "    for word in words:\n        groups[word[0].lower()].append(word)\n"
            "    return dict(groups)\n```\n\n"
            "An empty word would raise `IndexError`; filter those out first if they can occur.",
            other="```python\nfrom itertools import groupby\n\n"
            "words.sort(key=str.lower)\n"
            "{k: list(g) for k, g in groupby(words, key=lambda w: w[0].lower())}\n```\n\n"
            "Sorting is not optional here.",
        ),
        Turn(
            "Can you add type hints and a test?",
            "```python\nfrom collections import defaultdict\n"
            "from collections.abc import Iterable\n\n"
            "def by_first_letter(words: Iterable[str]) -> dict[str, list[str]]:\n"
            "    groups: defaultdict[str, list[str]] = defaultdict(list)\n"
            "    for word in filter(None, words):\n"
            "        groups[word[0].lower()].append(word)\n    return dict(groups)\n\n\n"
            "def test_words_are_grouped_without_regard_to_case() -> None:\n"
            '    assert by_first_letter(["Ant", "bee", "asp", ""]) == {\n'
            '        "a": ["Ant", "asp"],\n        "b": ["bee"],\n    }\n```\n',
            reasoning="`filter(None, …)` drops empty words and keeps the loop short. The test "
            "should show case folding and the empty word.",
        ),
    ),
)

_BREAD = Dialog(
    "Bread without kneading",
    (
        Turn(
            "I want to bake bread but hate kneading. Is there a way?",
            "Yes: time does the work.\n\n"
            "- **400 g** strong flour\n- **300 g** water\n- **8 g** salt\n- **1 g** dry yeast\n\n"
            "Stir, cover, leave for **12 to 18 hours**. Fold twice, rest an hour, and bake in a "
            "hot lidded pot at 240 °C: 30 minutes with the lid, 15 without.",
        ),
        Turn(
            "My kitchen is cold, about 16 degrees.",
            "Then give it **20 to 24 hours**, or a slightly warmer place such as the top of the "
            "fridge. Go by the look rather than the clock: it should have doubled and be full of "
            "bubbles.",
            other="Double the yeast to 2 g and keep the 18 hours.",
        ),
        Turn(
            "Can I use half wholemeal?",
            "You can. Wholemeal drinks more, so raise the water to about **330 g**, and expect a "
            "denser crumb. A spoon of honey rounds off the bitterness.",
        ),
    ),
)

_SQL = Dialog(
    "Latest order of each customer",
    (
        Turn(
            "How do I get only the latest order of each customer in PostgreSQL?",
            "`DISTINCT ON` is made for it:\n\n"
            "```sql\nSELECT DISTINCT ON (customer_id) *\nFROM orders\n"
            "ORDER BY customer_id, ordered_at DESC;\n```\n\n"
            "With an index on `(customer_id, ordered_at DESC)` it reads each customer's rows in "
            "order.",
            reasoning="Options: DISTINCT ON, a window function, a lateral join. DISTINCT ON is "
            "shortest; the lateral join wins where customers are few and orders many.",
            other="```sql\nSELECT * FROM (\n  SELECT o.*, row_number() OVER (\n"
            "    PARTITION BY customer_id ORDER BY ordered_at DESC) AS n\n  FROM orders o\n"
            ") ranked WHERE n = 1;\n```\n\nThis form also works on other databases.",
        ),
        Turn(
            "There are 300 customers and 40 million orders. It takes eight seconds.",
            "Then ask once per customer instead of walking all orders:\n\n"
            "```sql\nSELECT o.*\nFROM customers c\nCROSS JOIN LATERAL (\n"
            "  SELECT * FROM orders\n  WHERE customer_id = c.id\n"
            "  ORDER BY ordered_at DESC LIMIT 1\n) o;\n```\n\n"
            "That is 300 index look-ups: a few milliseconds.",
        ),
        Turn("That was it, 4 ms. Thank you!", "Glad to hear it. Enjoy the other 7.996 seconds."),
    ),
)

_TRIP = Dialog(
    "Three days in Lisbon",
    (
        Turn(
            "Plan three days in Lisbon for two people who like walking and dislike queues.",
            "## Day 1: the old hills\nAlfama in the morning, before the tram crowds; the "
            "viewpoint *Senhora do Monte* at sunset.\n\n"
            "## Day 2: the river\nWalk from Cais do Sodré to Belém along the water, 7 km. Look at "
            "the monastery from outside: the queue is for the inside.\n\n"
            "## Day 3: out of town\nTrain to Sintra at 8:00, on foot to the Moorish castle, back "
            "by the forest path.",
        ),
        Turn(
            "We arrive late on day 1, around 15:00.",
            "Then swap: Alfama moves to the morning of day 2, and day 1 becomes a short evening: "
            "Chiado, a bookshop, the viewpoint at sunset, dinner in Campo de Ourique.",
            other="Keep day 1 as it is and leave out the morning; Alfama is lovely at dusk too.",
        ),
    ),
)

_LETTER = Dialog(
    "A polite letter to the landlord",
    (
        Turn(
            "Write a short, polite letter: the heating has been off for four days.",
            "Dear Ms Keller,\n\nsince Monday the heating in our flat has been off; the rooms are "
            "at 15 °C in the morning. I reported it by telephone on Tuesday.\n\nCould you please "
            "let me know by tomorrow when it will be repaired?\n\nKind regards",
        ),
        Turn(
            "A bit firmer, please.",
            "Dear Ms Keller,\n\nthe heating in our flat has now been off for **four days**, "
            "although I reported it on Tuesday. I must ask you to have it repaired by Friday "
            "noon. Until then I reserve the right to reduce the rent.\n\nKind regards",
            reasoning="Firmer means: a date, a consequence, no insult.",
        ),
    ),
)

_STARS = Dialog(
    "Why is the night sky dark?",
    (
        Turn(
            "If there are infinitely many stars, why is the night dark?",
            "That is *Olbers' paradox*. Two things resolve it:\n\n"
            "1. **The universe has an age.** Light from beyond some distance has not had time to "
            "reach us.\n2. **It expands.** Distant light is stretched into the infrared and "
            "beyond.\n\nSo the sky does glow everywhere, only as microwaves at 2.7 K.",
            reasoning="Name the paradox, then the two causes, finite age first because it "
            "contributes more.",
        ),
        Turn(
            "Which of the two matters more?",
            "The finite age, by far. Even without expansion the sky would be dark, because there "
            "has not been time to fill it with light.",
        ),
    ),
)

_REGEX = Dialog(
    "Match a date with a regex",
    (
        Turn(
            "Give me a regex for dates like 2026-11-21.",
            "```\n^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])$\n```\n\n"
            "It checks the ranges of month and day, not whether 30 February exists. For that, "
            "parse it:\n\n```python\nfrom datetime import date\n\ndate.fromisoformat(text)\n```\n",
            other="`\\d{4}-\\d{2}-\\d{2}` is enough if you parse the result anyway.",
        ),
        Turn(
            "What does ?: mean, which I see everywhere?",
            "`(?:…)` groups without capturing. Use it where you need the parentheses for `|` or "
            "for a quantifier but do not want a numbered group.",
        ),
    ),
)

_GERMAN = Dialog(
    "Übersetzung einer Einladung",
    (
        Turn(
            'Bitte übersetze: "We are looking forward to seeing you on Saturday."',
            "> Wir freuen uns darauf, euch am Samstag zu sehen.\n\nFörmlich: *Wir freuen uns, Sie "
            "am Samstag begrüßen zu dürfen.*",
        ),
        Turn(
            "Und auf Chinesisch?",
            "> 我们期待周六见到你们。\n\n更正式的说法：*期待周六与您见面。*",
        ),
    ),
)

_DJANGO = Dialog(
    "A slow Django list",
    (
        Turn(
            "My Django list view makes 201 queries for 100 rows. What is wrong?",
            "The classic N+1: two attributes per row are fetched one by one. Name them in "
            'advance:\n\n```python\nBook.objects.select_related("author", "publisher")\n```\n\n'
            "- `select_related` joins, for foreign keys and one-to-one.\n"
            "- `prefetch_related` asks once more, for many-to-many and reverse relations.\n\n"
            "And hold it with a test: `assertNumQueries(1)`.",
        ),
        Turn(
            "Now it is one query but still slow, 1.2 s.",
            "Then look at the plan: `print(queryset.explain(analyze=True))`. If you see a "
            "sequential scan below a sort, the ordering lacks an index. If rows are wide, "
            "`defer()` the text you do not show.",
            reasoning="One query, slow: either the plan or the width of rows. Ask for the plan.",
            other="How many rows does the table have, and what do you sort by?",
        ),
        Turn(
            "It was the ordering. An index on (-created_at) brought it to 9 ms.",
            "Good find. Keep in mind that every index is paid for at each write.",
        ),
    ),
)

_STORY = Dialog(
    "A very short story",
    (
        Turn(
            "Tell me a story in five sentences about a lighthouse keeper.",
            "Every evening Ines lit the lamp, though no ship had passed for eleven years. She "
            "kept the log all the same: wind, clouds, *no vessel*. One night the lamp broke, and "
            "she sat in the dark and listened. Out on the water a bell rang twice. She wrote it "
            "down, and in the morning ordered a new lamp.",
        ),
        Turn(
            "Whose bell was it?",
            "The log does not say. Ines would tell you that a log is for what one knows.",
            other="A fishing boat's, most likely. But she never asked, and it never rang again.",
        ),
    ),
)

_MATHS = Dialog(
    "Percentages that confuse me",
    (
        Turn(
            "A price rises by 20 % and then falls by 20 %. Why is it not the same again?",
            "Because the second 20 % is taken from a larger amount:\n\n"
            "| step | price |\n|---|---|\n| start | 100.00 |\n| + 20 % | 120.00 |\n"
            "| − 20 % | **96.00** |\n\nThe factors are $1.2 \\cdot 0.8 = 0.96$.",
        ),
        Turn(
            "What fall would undo a rise of 20 %?",
            "$1 / 1.2 \\approx 0.8333$, so a fall of **16.67 %**.",
            reasoning="Undo the factor 1.2: divide by it. 1 - 1/1.2 = 0.1667.",
        ),
    ),
)

_RELEASE = Dialog(
    "A checklist for releases",
    (
        Turn(
            "We forget something at every release of our small web service. Make a checklist.",
            "# Before\n\n"
            "- [ ] **Scope is frozen.** Whatever is not merged by now waits for the next one. "
            "Late changes are where most bad releases begin.\n"
            "- [ ] **The changelog is written for readers**, not copied from commits: what is new, "
            "what behaves differently, what must be done when upgrading.\n"
            "- [ ] **Migrations were tried on a copy of real data**, and their time was taken. A "
            "lock of two seconds in a test may be four minutes in production.\n"
            "- [ ] **The way back was walked once.** If a migration cannot be undone, say so in "
            "the changelog, and take a backup that somebody has restored before.\n\n"
            "# During\n\n"
            "1. Announce the start in one place, with the name of who decides.\n"
            "2. Release to one server, or to a small share of requests.\n"
            "3. Watch *errors, latency and saturation* for ten minutes, not the deployment log.\n"
            "4. Go on, or go back. Repairing forwards at night is how small faults grow.\n\n"
            "# After\n\n"
            "| when | what |\n|---|---|\n"
            "| the same day | tag the commit, publish the notes, close the milestone |\n"
            "| next morning | read the error log with fresh eyes |\n"
            "| within a week | write down what was forgotten, and **add it to this list** |\n\n"
            "The last line is the one that makes the list better each time. Keep it short: a list "
            "of forty items is read by nobody, and the three items that matter drown in it.",
            reasoning="Three phases read better than one long list. For each item a reason, since "
            "people skip what they do not understand. End with how the list improves.",
        ),
        Turn(
            "Which single item would you keep?",
            "**The way back was walked once.** Everything else costs you an evening; a release "
            "that can neither go forward nor back costs you the data.",
            other="Watching errors for ten minutes. Most faults show at once, if anybody looks.",
        ),
    ),
)

DIALOGS = (
    _CAPITALS,
    _PYTHON,
    _BREAD,
    _SQL,
    _TRIP,
    _LETTER,
    _STARS,
    _REGEX,
    _GERMAN,
    _DJANGO,
    _STORY,
    _MATHS,
    _RELEASE,
)
