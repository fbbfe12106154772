"""`.env.example` names what the settings read, no more and no less."""

import re
from pathlib import Path

from streaming.conf import keys

ROOT = Path(__file__).resolve().parent.parent
READ = re.compile(r'(?:env\.|\b)(?:text|flag|number|choice|words|db_url)\(\s*"([A-Z_]+)"')


def test_every_setting_of_the_environment_stands_in_the_example() -> None:
    sources = [ROOT / "chatproject" / "settings.py", ROOT / "chatproject" / "env.py"]
    read = {name for source in sources for name in READ.findall(source.read_text())}
    read |= {f"STREAMING_{key}" for key in keys()}
    example = (ROOT / ".env.example").read_text()
    assert set(re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE)) == read
