from uuid import UUID

import msgspec

from notes.models import Note
from streaming.recorder import Recorded, Settlement
from streaming.transcript import text_of


class NoteRecorder:
    def save(self, run_id: UUID, settlement: Settlement) -> bool:
        kept = {"text": text_of(settlement.parts), "settlement": msgspec.to_builtins(settlement)}
        return bool(Note.objects.filter(id=run_id).update(**kept))

    def load(self, run_id: UUID) -> Recorded | None:
        note = Note.objects.filter(id=run_id, settlement__isnull=False).first()
        if note is None:
            return None
        kept = msgspec.convert(note.settlement, Settlement)
        return Recorded({"topic": note.topic}, kept.outcome, kept.parts, kept.claim)
