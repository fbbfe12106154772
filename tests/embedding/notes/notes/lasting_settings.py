"""The same project, whose notes outlive their processes."""

from notes.settings import *  # noqa: F403

STREAMING = {"RECORDER": "notes.lasting.LastingRecorder", "ON_WORKER_LOSS": "continue"}
