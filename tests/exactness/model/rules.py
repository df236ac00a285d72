"""The rules of the model, by the names of their mutants, and a small world in which it shows that one is missing."""

from tests.exactness.model.state import NOWHERE, World

Writes = tuple[tuple[str, int, bool], ...]


def _writes(*whats: str, singles: tuple[int, ...] = (), mass: tuple[int, ...] = ()) -> Writes:
    """Return each change as a single one in some shards, and as a mass change in others."""
    hows = [*((shard, False) for shard in singles), *((shard, True) for shard in mass)]
    return tuple((what, *how) for what in whats for how in hows)


_MOVES = ("move 1", "move 2")
SINGLES = World("single moves", _writes(*_MOVES, singles=(0, 1)), ("look",))
EDITS = World("single edits", _writes("edit", singles=(0, 1)), ("look",))
SPLIT = World("moves, single and mass", (("move 1", 1, False), ("move 2", 0, True)))
MASS = World("mass moves", _writes(*_MOVES, mass=(0,)))
BOTH = World("mass moves and edits", (("move 1", 0, True), ("edit", 1, False), ("edit", 0, True)))
NEW_SPLIT = SPLIT._replace(name="moves of a new conversation, single and mass", start=NOWHERE)
STORED = World("single moves and mass edits", (("move 1", 0, False), ("edit", 0, True)))
NEW = World(
    "a conversation that comes and goes", _writes("move 0", "move 2", singles=(0,), mass=(0,)), start=NOWHERE
)
REBUILD = World("a rebuild in place", _writes("move 1", "edit", singles=(0,)), ("rebuild",))
LETTERS = World("dead letters", _writes("spoil", "mend", "move 1", singles=(0,)))
CLOCK = World("a clock that is set back", _writes("edit", singles=(0,)), ("look",), clock_steps=3)
CLOCK_BESIDE = World(
    "a clock that is set back beside a batch", _writes("edit", singles=(0, 1)), ("look",), clock_steps=2
)
ERASURE = World("an erasure", _writes(*_MOVES, singles=(0,)), ("look",), erasure=True)
LETTER_ERASURE = ERASURE._replace(name="an erasure of dead letters", has_letter=True)
NEW_LETTER = LETTER_ERASURE._replace(name="an erasure of a new dead letter", start=NOWHERE)

RULES = {
    "the source is read before the changes are taken": EDITS,
    "a batch reads in one snapshot": EDITS,
    "nothing is locked": EDITS,
    "counts move by the changes in the queue": EDITS,
    "a newer letter counts": LETTERS,
    "a dead letter stays with the lead that its key has left": LETTERS,
    "an erasure deletes a letter beside a batch": NEW_LETTER,
    "what the read model knew of a conversation is not asked": SINGLES,
    "what moved to a tenant that is not locked is left to others": SINGLES,
    "the tenant that was looked up stands for its lock": MASS,
    "a key of no lead does not wait for a batch that brings it in": NEW,
    "leads of keys are looked up beside a batch that brings them in": NEW,
    "a piece reads the source before it takes its keys": BOTH,
    "a rebuild in place locks no tenant": REBUILD,
    "a waiting change does not hold freshness back": SINGLES,
    "a mass change whose tenants are not known yet does not hold freshness back": MASS,
    "a tenant that a mass change concerns is not late": MASS,
    "a tenant is late from the moment at which it is found out": MASS,
    "a tenant is no longer late after its first piece": MASS,
    "lateness ends while another session looks up whom a mass change concerns": BOTH,
    "a key is looked up in the source alone": MASS,
    "a key is looked up among the known ones alone": MASS,
    "a dead letter counts for the tenant of the source alone": LETTERS,
    "a key that is not known may be brought in while its lead is looked up": NEW_SPLIT,
    "a key that is known may be moved while its lead is looked up": SPLIT,
    "a conversation that moves is read from what is stored of it": STORED,
    "a tenant that is late is told the moment of the others": MASS,
    "a moment that the clock has not reached is claimed": CLOCK,
    "a look does not ask whether a change waits": SINGLES,
    "a batch does not compare the newest clock": CLOCK,
    "a batch stores a void moment": CLOCK_BESIDE,
    "an erasure deletes table by table": ERASURE,
    "an erasure deletes the rows of a lead itself": ERASURE,
    "an erasure deletes the letter of a key that has moved on": LETTER_ERASURE,
}
"""Each mutant, and the world."""
