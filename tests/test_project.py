"""The project's own few lines."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_a_process_of_another_server_does_not_import_daphnes() -> None:
    code = "import sys, chatproject.asgi; sys.exit('twisted' in sys.modules)"
    environment = {"PATH": "/usr/bin:/bin", "SECRET_KEY": "for-this-test-only"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
