"""`manage.py test` takes the labels that Django users write."""

from tests.runner import _path


def test_a_dotted_module_becomes_its_file() -> None:
    assert _path("tests.test_runner") == "tests/test_runner.py"


def test_a_dotted_package_becomes_its_directory() -> None:
    assert _path("tests.streaming") == "tests/streaming"


def test_a_dotted_test_becomes_a_node_of_its_file() -> None:
    label = "tests.test_runner.test_a_path_stays"
    assert _path(label) == "tests/test_runner.py::test_a_path_stays"


def test_a_path_stays() -> None:
    assert _path("tests/test_runner.py") == "tests/test_runner.py"
    assert _path("tests/test_runner.py::test_a_path_stays").endswith("::test_a_path_stays")
