"""How `make test` shares out the tests among processes: by file, and some folders as if they were one file."""

from xdist.scheduler import LoadFileScheduling

# Their files share a fixture that takes longer to make than most of their tests.
_WHOLE_FOLDERS = ("tests/plans/", "tests/browser/")


class Shares(LoadFileScheduling):  # type: ignore[misc]  # xdist carries no types.
    """Hands out whole files, or whole folders."""

    def _split_scope(self, nodeid: str) -> str:
        whole = next(filter(nodeid.startswith, _WHOLE_FOLDERS), None)
        return super()._split_scope(nodeid) if whole is None else whole
