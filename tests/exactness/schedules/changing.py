"""Plays schedules of the model with random changes of all kinds of rows, which the model does not know.

What the model writes is one conversation. Here each of its writes is a transaction of a few changes at random. So a
session may have other steps than in the model: it takes its next one, whatever that is.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random

import psycopg

from projector.operate.install import migrate
from tests.exactness.model.rules import SINGLES
from tests.exactness.model.state import LEADS
from tests.exactness.model.steps import Label
from tests.exactness.schedules.playing import BrokenError, Laid, Playing, make_ready, playing
from tests.exactness.schedules.sessions import Session
from tests.exactness.schedules.sessions import State as At
from tests.exactness.schemas import Schema, change, fill
from tests.support.server import Database

SIZE = 15

_LEADS = """
    SELECT user_id, customer_phone FROM read_model.leads
    ORDER BY row_number() OVER (PARTITION BY user_id ORDER BY customer_phone), user_id LIMIT 2
"""
_FILLED = "SELECT DISTINCT c.user_id, c.customer_phone FROM projector.current_conversations() AS c"
# The two shards of the changes, the moment that they promise, and the oldest change that waits there.
_PROMISED = """
    SELECT least(f.shards[1], f.shards[2]), (SELECT min(c.queued_at) FROM projector.changes AS c WHERE c.shard < 2)
    FROM read_model.freshness AS f
"""


LayRandom = Callable[[str], Laid]


def lay_rows(schema: Schema, database: Database) -> Laid:
    """Write random rows into a new database, and note them for a reset. Two leads stand for those of the model."""
    with database.connect() as conn:
        conn.execute(schema.tables.encode(), prepare=False)
        migrate(conn, create_source=False, mapping=schema.mapping)
        rng = Random(7)
        fill(conn, schema, rng, SIZE)
        # Few rows of so many tables belong to leads, and a TRUNCATE may just have emptied one.
        while len(conn.execute(_FILLED).fetchall()) < len(LEADS):
            fill(conn, schema, rng, SIZE)
        make_ready(conn)
        leads = dict(zip(LEADS, conn.execute(_LEADS).fetchall(), strict=True))
    return Laid(SINGLES, schema, database, leads, {})


class Changing(Playing):
    """Plays schedules with random changes. Make it with `changing`."""

    rng = Random()
    commits_late = False
    """Whether a batch that has written its leads pauses until the others have taken all their steps."""

    def play_changes(self, labels: Sequence[Label], seed: str) -> None:
        """Play a schedule and a last refresh; raises BrokenError, with the story, where something comes out wrong."""
        self.rng = Random(seed)
        self.commits_late = self.rng.random() < 0.5
        try:
            self.reset()
            self.conn.execute("SET lock_timeout = '2s'")
            for label in labels:
                self.step(label)
                self._check_promises()
            self.finish()
        except BrokenError as error:
            raise BrokenError(
                f"{error}\n{self.story()}\nseed {seed}, schedule {'; '.join(map(str, labels))}"
            ) from error

    def step(self, label: Label) -> None:
        actor = self.actors.get(label.session)
        if actor is not None and actor.state is At.DONE and not self._begins(label):
            return
        super().step(label)
        if actor is not None and (actor.state, actor.step) == (At.READY, "written") and not self.commits_late:
            super().step(label)

    def _begins(self, label: Label) -> bool:
        # A batch that collides takes its changes again, so the step need not name a shard.
        return label.step in self._works(label) and (label.step, label.of) != ("take", "")

    def _begin(self, actor: Session, label: Label) -> None:
        super()._begin(actor, label)
        actor.passes = frozenset()

    def _change(self, _label: Label) -> None:
        for _ in range(self.rng.randint(1, 3)):
            try:
                done = change(self.conn, self.laid.schema, self.rng, truncates=False)
            except psycopg.errors.LockNotAvailable:
                done = "given up"
            self.played.append(Label("W", done))
            if "given up" in done:
                raise BrokenError("the writer waits")

    def _check_promises(self) -> None:
        """Check that what readers see is consistent, and that freshness promises no change that waits."""
        as_of, queued_at = self.conn.execute(_PROMISED).fetchall()[0]
        if queued_at is not None:
            committed = next((at for at in self.written if at >= queued_at), None)
            if committed is not None and as_of > committed:
                raise BrokenError("freshness promises a change that waits")
        self._check_readers()


@contextmanager
def changing(laid: Laid, database: Database | None = None) -> Iterator[Changing]:
    """Open sessions on the database of random rows, or on a copy of it where a rule is dropped."""
    with playing(laid, database, Changing) as made:
        assert isinstance(made, Changing)
        yield made
