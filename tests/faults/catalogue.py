"""All faults, by name."""

from tests.faults import on_clients, on_machine, on_storage, on_upstream, on_workers
from tests.faults.fault import Fault

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for module in (on_workers, on_storage, on_upstream, on_clients, on_machine)
    for fault in module.FAULTS
}
