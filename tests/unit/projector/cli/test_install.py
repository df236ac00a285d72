"""The commands that install, remove, and switch capture."""

from tests.unit.projector.cli.calls import Calls, call


def test_migrate_passes_on_what_an_operator_should_know(calls: Calls) -> None:
    calls.answers["migrate"] = ["Create an index."]
    result = call("migrate", "--create-source", "--source-schema", "a", "--source-schema", "b")
    given = {"create_source": True, "source_schemas": ("a", "b"), "distribute": False}
    assert calls.made == [("migrate", given)]
    assert result.stdout.splitlines() == ["Create an index.", "The read model is installed and up to date."]
    assert result.exit_code == 0


def test_uninstall_asks_first(calls: Calls) -> None:
    calls.answers |= {"check_uninstall": [], "uninstall": ["The role stays."]}

    def done() -> list[object]:
        return [made for made in calls.made if made[0] == "uninstall"]

    result = call("uninstall", answer="n\n")
    assert "Delete the read model from the database platform on db.example?" in result.stdout
    assert (result.exit_code, done()) == (1, [])
    assert call("uninstall", answer="y\n").exit_code == 0
    assert "The role stays." in call("uninstall", "--yes").stdout.splitlines()
    assert done() == [("uninstall", {"drop_dependents": False})] * 2
    assert call("uninstall", "--yes", "--drop-dependents").exit_code == 0
    assert done()[2:] == [("uninstall", {"drop_dependents": True})]


def test_capture_is_switched_off_for_a_reason_and_on_again(calls: Calls) -> None:
    assert call("capture", "off", "--reason", "import").exit_code == 0
    assert call("capture", "on").exit_code == 0
    assert calls.made == [("switch_off", {"arguments": ("import",)}), ("switch_on", {})]
