"""How this machine and this process are, by psutil; blocks, so it is called in a thread."""

import os
import time
from typing import Any

import psutil

_PROCESSES = 8


class Sampler:
    """Turns counters into rates; one thread at a time."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._before: dict[str, float] = {}
        self._before_at = 0.0
        self._process = psutil.Process()
        psutil.cpu_percent()  # the first call has nothing to compare with
        self._process.cpu_percent()

    def sample(self) -> dict[str, float]:
        """Return figures, flat; percentages, bytes, and bytes a second."""
        memory, disk = psutil.virtual_memory(), psutil.disk_usage(self._directory)
        with self._process.oneshot():
            own = {
                "own_cpu": self._process.cpu_percent(),
                "own_memory": self._process.memory_info().rss,
                "own_files": self._process.num_fds(),
            }
        load = os.getloadavg()
        return {
            "cpu": psutil.cpu_percent(),
            "cores": psutil.cpu_count() or 1,
            "memory": memory.percent,
            "memory_used": memory.total - memory.available,
            "memory_total": memory.total,
            "swap": psutil.swap_memory().percent,
            "disk": disk.percent,
            "disk_free": disk.free,
            "load_1": load[0],
            "load_5": load[1],
            "load_15": load[2],
            "processes": len(psutil.pids()),
            **own,
            **self._rates(),
        }

    def _rates(self) -> dict[str, float]:
        network, disk = psutil.net_io_counters(), psutil.disk_io_counters()
        now = {
            "net_in": float(network.bytes_recv) if network else 0.0,
            "net_out": float(network.bytes_sent) if network else 0.0,
            "disk_read": float(disk.read_bytes) if disk else 0.0,
            "disk_write": float(disk.write_bytes) if disk else 0.0,
        }
        at = time.monotonic()
        before, seconds = self._before, at - self._before_at
        self._before, self._before_at = now, at
        return {
            name: max(value - before[name], 0) / seconds if before else 0.0
            for name, value in now.items()
        }

    @staticmethod
    def processes() -> list[dict[str, Any]]:
        """List the largest by CPU: names only, since arguments may hold secrets."""
        found = []
        for process in psutil.process_iter(["pid", "name", "cpu_percent", "memory_info"]):
            about = process.info
            memory = about["memory_info"]
            found.append(
                {
                    "pid": about["pid"],
                    "name": (about["name"] or "?")[:40],
                    "cpu": about["cpu_percent"] or 0.0,
                    "memory": memory.rss if memory else 0,
                }
            )
        found.sort(key=lambda one: (-one["cpu"], -one["memory"]))
        return found[:_PROCESSES]
