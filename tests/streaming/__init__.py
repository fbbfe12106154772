"""Tests of the runs, their journal and their readers."""
