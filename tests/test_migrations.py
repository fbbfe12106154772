"""Migrations only add: a worker of the release before serves on while the new schema is there.

What it still reads may not be taken away, and what it writes must still be accepted. Such a step is
taken a release after the one that no longer needs it, and is then named in `CONTRACTS`.
"""

from collections.abc import Iterator

import pytest
from django.db import models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

BEFORE_THE_FIRST_RELEASE = {"holdfast_conversations": 11, "holdfast_streaming": 3}
"""Up to these numbers nobody upgrades with workers that serve."""

CONTRACTS: set[str] = set()
"""What the release before no longer needs: sentences as `found` says them."""


def found(migration: Migration, before: ProjectState) -> Iterator[str]:
    """Say what a migration takes from workers that were started before it."""
    state = before.clone()
    made: set[str] = set()
    for operation in migration.operations:
        if isinstance(operation, operations.CreateModel):
            made.add(operation.name.lower())
        for told in _takes(operation, state, migration.app_label, made):
            yield f"{migration.app_label}.{migration.name}: {told}"
        operation.state_forwards(migration.app_label, state)


def _takes(operation: Operation, state: ProjectState, app: str, made: set[str]) -> Iterator[str]:
    model = str(getattr(operation, "model_name", "")).lower()
    match operation:
        case operations.DeleteModel(name=name) | operations.AlterModelTable(name=name):
            yield f"{name} is not where old code looks for it"
        case operations.RenameModel(old_name=name) | operations.RenameField(old_name=name):
            yield f"{name} has another name"
        case operations.RemoveField(name=name):
            yield f"{name} is gone"
        case _ if model in made:
            return
        case operations.AddField(name=name, field=field):
            if not _may_be_left_out(field):
                yield f"{name} is written by new code alone"
        case operations.AlterField(name=name, field=field):
            old = state.models[app, model].fields[operation.name]
            if old.null and not _may_be_left_out(field):
                yield f"{name} may no longer be null"
            elif _size(field) < _size(old) or field.get_internal_type() != old.get_internal_type():
                yield f"{name} holds less, or something else"
        case operations.AddConstraint(constraint=constraint):
            yield f"{constraint.name} may refuse what old code writes"


def _may_be_left_out(field: models.Field) -> bool:
    return field.null or field.has_db_default() or field.many_to_many


def _size(field: models.Field) -> float:
    return field.max_length or float("inf")


def all_found() -> list[str]:
    loader = MigrationLoader(None)
    state = ProjectState(real_apps=loader.unmigrated_apps)
    told: list[str] = []
    seen: set[tuple[str, str]] = set()
    for leaf in loader.graph.leaf_nodes():
        for key in loader.graph.forwards_plan(leaf):
            if key in seen:
                continue
            seen.add(key)
            migration = loader.graph.nodes[key]
            if int(key[1][:4]) > BEFORE_THE_FIRST_RELEASE.get(key[0], 9999):
                told += found(migration, state)
            migration.mutate_state(state, preserve=False)
    return told


def test_migrations_take_nothing_from_workers_that_still_serve() -> None:
    told = all_found()
    assert [one for one in told if one not in CONTRACTS] == []
    assert CONTRACTS - set(told) == set(), "named, but not there"


TEXT = models.CharField(max_length=20)
TAKING = {
    "gone": operations.RemoveField("note", "text"),
    "name": operations.RenameField("note", "text", "body"),
    "looks": operations.DeleteModel("Note"),
    "new code alone": operations.AddField("note", "kind", models.IntegerField(default=0)),
    "no longer be null": operations.AlterField("note", "maybe", models.IntegerField()),
    "holds less": operations.AlterField("note", "text", models.CharField(max_length=10)),
    "refuse": operations.AddConstraint("note", models.UniqueConstraint(fields=["text"], name="u")),
}
HARMLESS = [
    operations.AddField("note", "kind", models.IntegerField(default=0, db_default=0)),
    operations.AddField("note", "kind", models.IntegerField(null=True)),
    operations.AlterField("note", "text", models.CharField(max_length=30)),
    operations.AddIndex("note", models.Index(fields=["text"], name="i")),
    operations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))]),
]


def _before() -> ProjectState:
    state = ProjectState()
    fields = [
        ("id", models.BigAutoField(primary_key=True)),
        ("text", TEXT),
        ("maybe", models.IntegerField(null=True)),
    ]
    operations.CreateModel("Note", fields).state_forwards("notes", state)
    return state


def _migration(operation: Operation) -> Migration:
    migration = Migration("0002_next", "notes")
    migration.operations = [operation]
    return migration


@pytest.mark.parametrize("says", TAKING)
def test_a_migration_that_takes_something_is_found(says: str) -> None:
    [told] = found(_migration(TAKING[says]), _before())
    assert says in told


@pytest.mark.parametrize("operation", HARMLESS, ids=lambda one: one.describe())
def test_a_migration_that_adds_is_not(operation: Operation) -> None:
    assert list(found(_migration(operation), _before())) == []
