"""uvicorn under a profiler that SIGUSR1 begins and SIGUSR2 ends; see `benchmarks.profile`."""

import cProfile
import os
import signal
from types import FrameType

from uvicorn.main import main

profile = cProfile.Profile()


def begin(number: int, frame: FrameType | None) -> None:
    profile.enable()


def end(number: int, frame: FrameType | None) -> None:
    profile.disable()
    path = os.environ["HOME"] + "/profile"
    profile.dump_stats(path + ".part")
    os.replace(path + ".part", path)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    main()
