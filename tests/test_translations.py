"""The Chinese texts are complete, compiled, and keep what is filled in."""

import ast
import gettext
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCALE = Path("locale") / "zh_Hans" / "LC_MESSAGES"
CATALOGS = [
    ("conversations", "django"),
    ("conversations", "djangojs"),
    ("chatproject", "django"),
    ("streaming", "django"),
]
FIELD = re.compile(r"(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?) (\".*\")$")
FILLED_IN = re.compile(r"%\(\w+\)s|%s|%d|\{\w+\}|%%")

every_catalog = pytest.mark.parametrize(("app", "domain"), CATALOGS, ids=lambda one: str(one))


@dataclass
class Entry:
    """One text and its translation."""

    fuzzy: bool = False
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        names = ("msgctxt", "msgid", "msgid_plural")
        context, text, plural = (self.fields.get(name, "") for name in names)
        return context, text, plural

    @property
    def translations(self) -> list[str]:
        return [text for name, text in self.fields.items() if name.startswith("msgstr")]


def read(path: Path) -> list[Entry]:
    """Read a `.po` file, but for its head, whose text is empty."""
    entries = [Entry()]
    current = ""
    for line in path.read_text().splitlines():
        found = FIELD.match(line)
        begins = line.startswith(("#", "msgctxt ", "msgid "))
        if begins and any(name.startswith("msgstr") for name in entries[-1].fields):
            entries.append(Entry())
        if line.startswith("#,"):
            entries[-1].fuzzy = "fuzzy" in line
        elif found:
            current = found[1]
            entries[-1].fields[current] = ast.literal_eval(found[2])
        elif line.startswith('"'):
            entries[-1].fields[current] += ast.literal_eval(line)
    return [entry for entry in entries if entry.fields.get("msgid")]


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the sources say now, extracted in a copy of them."""
    assert shutil.which("xgettext"), "no gettext here; scripts/debian-packages.sh installs it"
    copy = tmp_path_factory.mktemp("extraction")
    unwanted = shutil.ignore_patterns("__pycache__", "vendor", "migrations", "*.po", "*.mo")
    for app in {app for app, _ in CATALOGS}:
        shutil.copytree(ROOT / app, copy / app, ignore=unwanted)
    for app, domain in CATALOGS:
        (copy / app / "locale").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "django", "makemessages", "-l", "zh_Hans"]
        command += ["-d", domain, "--no-location"]
        done = subprocess.run(command, cwd=copy / app, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    return copy


@every_catalog
def test_every_text_of_the_sources_is_translated_and_no_other(
    app: str, domain: str, extracted: Path
) -> None:
    place = LOCALE / f"{domain}.po"
    said = {entry.key for entry in read(extracted / app / place)}
    known = {entry.key for entry in read(ROOT / app / place)}
    assert said - known == set(), "texts without a translation"
    assert known - said == set(), "translations without a text"


@every_catalog
def test_every_translation_is_there_and_keeps_what_is_filled_in(app: str, domain: str) -> None:
    entries = read(ROOT / app / LOCALE / f"{domain}.po")
    assert entries
    for entry in entries:
        _, text, plural = entry.key
        assert not entry.fuzzy, text
        assert entry.translations and all(entry.translations), text
        for translation in entry.translations:
            wanted = FILLED_IN.findall(plural or text)
            assert sorted(FILLED_IN.findall(translation)) == sorted(wanted), text


@every_catalog
def test_the_compiled_texts_are_those_that_can_be_read(app: str, domain: str) -> None:
    place = ROOT / app / LOCALE / domain
    with place.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    entries = read(place.with_suffix(".po"))
    for entry in entries:
        context, text, plural = entry.key
        if context:
            assert compiled.pgettext(context, text) == entry.translations[0]
        elif plural:
            assert compiled.ngettext(text, plural, 2) == entry.translations[0]
        else:
            assert compiled.gettext(text) == entry.translations[0]
    catalog = compiled._catalog  # type: ignore[attr-defined]
    assert len([key for key in catalog if key]) == len(entries)


def test_the_chinese_readme_names_every_variable_with_its_default() -> None:
    english, chinese = (
        [
            re.findall(r"`([^`]+)`", line.split("|")[1] + line.split("|")[2])
            for line in (ROOT / name).read_text().splitlines()
            if re.match(r"\| `[A-Z]", line)
        ]
        for name in ("README.md", "README.zh-CN.md")
    )
    assert [sorted(row) for row in english] == [sorted(row) for row in chinese]
