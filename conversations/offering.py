"""The models on offer: what the providers have, as the operators name, order and switch it.

Read from the table each time: it is small, and what an operator changes holds at once, in every
process.
"""

from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from conversations import notices
from conversations.exceptions import UnknownModel
from conversations.operating import OfferedModel, Revision
from conversations.providers import providers
from conversations.providers.types import Model

_LAST = 32_767
_STEP = 10


class Catalogue(NamedTuple):
    """The models that a person may choose, in their order."""

    models: dict[str, Model]
    default: Model | None

    def get(self, model_id: str) -> Model:
        """Return a model, or the default where it is not offered: nothing must lock a conversation.

        Raises:
            UnknownModel: there is none at all.
        """
        found = self.models.get(model_id) or self.default
        if found is None:
            raise UnknownModel(field="model")
        return found


class Price(NamedTuple):
    """What a million tokens cost."""

    input: Decimal
    output: Decimal

    def of(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Return what these tokens cost."""
        return (self.input * input_tokens + self.output * output_tokens) / 1_000_000


def catalogue() -> Catalogue:
    """Read which models are on offer now."""
    rows = OfferedModel.objects.in_bulk()
    found: list[tuple[int, Model]] = []
    default = None
    for model in providers.models():
        row = rows.get(model.id)
        if row is None:
            found.append((_LAST, model))
        elif row.enabled:
            offer = replace(model, name=row.name or model.name, system_prompt=row.system_prompt)
            found.append((row.position, offer))
            default = offer if row.is_default else default
    ordered = [model for _, model in sorted(found, key=lambda one: one[0])]
    first = ordered[0] if ordered else None
    return Catalogue({model.id: model for model in ordered}, default or first)


def names() -> dict[str, str]:
    """Return how people read the models, those that are switched off, too."""
    called = {model.id: model.name for model in providers.models()}
    rows = OfferedModel.objects.exclude(name="").values_list("id", "name")
    return called | dict(rows)


def prices() -> dict[str, Price]:
    """Return the price table."""
    rows = OfferedModel.objects.values_list("id", "input_price", "output_price")
    return {model_id: Price(given, said) for model_id, given, said in rows}


def note_models() -> None:
    """Give every model of the providers a row, behind those that are there."""
    known = dict(OfferedModel.objects.values_list("id", "position"))
    unknown = [model for model in providers.models() if model.id not in known]
    after = max(known.values(), default=0)
    OfferedModel.objects.bulk_create(
        [
            OfferedModel(
                id=model.id,
                provider=model.provider,
                position=min(after + _STEP * number, _LAST),
            )
            for number, model in enumerate(unknown, 1)
        ],
        ignore_conflicts=True,
    )


def make_default(model_id: str) -> None:
    """Offer a model first to whoever has not chosen; it is enabled with that."""
    with transaction.atomic():
        OfferedModel.objects.filter(is_default=True).update(is_default=False)
        OfferedModel.objects.filter(id=model_id).update(is_default=True, enabled=True)
        revise("models")


def switch(model_ids: list[str], *, enabled: bool) -> int:
    """Offer models, or do not; the default stays on offer.

    Returns:
        How many were switched.
    """
    with transaction.atomic():
        rows = OfferedModel.objects.filter(id__in=model_ids)
        if not enabled:
            rows = rows.filter(is_default=False)
        switched = rows.update(enabled=enabled)
        revise("models")
        return switched


def revise(topic: str) -> None:
    """Let every process look again; call it inside the transaction of the change."""
    if not Revision.objects.filter(topic=topic).update(number=F("number") + 1):
        _, made = Revision.objects.get_or_create(topic=topic, defaults={"number": 1})
        if not made:
            Revision.objects.filter(topic=topic).update(number=F("number") + 1)
    transaction.on_commit(notices.look_soon)
