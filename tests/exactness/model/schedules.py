"""Schedules of the model: those that reveal each left-out rule, and those that cover the steps of a world."""

from collections.abc import Iterator, Sequence
from functools import cache

from tests.exactness.model.rules import RULES
from tests.exactness.model.search import Search
from tests.exactness.model.state import State, World, first_state
from tests.exactness.model.steps import Label, Model

Schedule = list[tuple[Label, State]]


@cache
def find_fault(rule: str) -> Search:
    """Return the search that ends at the first fault without a rule."""
    return Search(Model(RULES[rule], rule)).run(first_fault=True)


def schedule_of(rule: str, world: World) -> Schedule:
    """Return the steps of the model with every rule along the shortest way to a fault without this rule."""
    search = find_fault(rule)
    [state] = search.faults.values()
    return replayed(Model(world), search.path(state))


def replayed(model: Model, labels: Sequence[Label]) -> Schedule:
    """Return the schedule of these steps with every rule: a session takes its next step, whatever that is by now."""
    state, schedule = first_state(model.world), Schedule()
    for label in labels:
        possible = dict(model.steps(state))
        working = {
            step for step in possible if step.session == label.session and not _is_begun(state, model, step)
        }
        step = label if label in possible else next(iter(working), None)
        if step is not None:
            state = possible[step]
            schedule.append((step, state))
    return finished(model, state, schedule)


def finished(model: Model, state: State, schedule: Schedule) -> Schedule:
    """Let the work in progress end, and begin nothing new."""
    while True:
        going = [(label, after) for label, after in model.steps(state) if not _is_begun(state, model, label)]
        going = [(label, after) for label, after in going if label.session in "ABE" and label.step != "crash"]
        if not going:
            return schedule
        schedule.append(going[0])
        state = going[0][1]


def _is_begun(state: State, model: Model, label: Label) -> bool:
    """Return whether a step begins something: a write, or the work of a session that is idle."""
    if label.session not in model.world.sessions:
        return True
    return state.works[model.world.sessions.index(label.session)] is None


def covering(search: Search) -> Iterator[Schedule]:
    """Schedules that cover each step from each combination of places of the sessions, as few as one walk makes."""
    model = search.model
    following = {state: list(model.steps(state)) for state in search.came}
    todo = {_edge(state, step, after) for state, steps in following.items() for step, after in steps}
    for state, steps in following.items():
        for step, after in steps:
            if _edge(state, step, after) not in todo:
                continue
            schedule = search.schedule(state)
            before = first_state(model.world)
            for label, there in schedule:
                todo.discard(_edge(before, label, there))
                before = there
            here: State = state
            chosen: tuple[Label, State] | None = (step, after)
            while chosen is not None:
                schedule.append(chosen)
                todo.discard(_edge(here, *chosen))
                here = chosen[1]
                chosen = next((step for step in following[here] if _edge(here, *step) in todo), None)
            yield finished(model, here, schedule)


def _edge(state: State, step: Label, after: State) -> object:
    return _control(state), step.session, step.step, _control(after)


def _control(state: State) -> object:
    works = tuple(None if work is None else (work.kind, work.at, work.of, work.waits) for work in state.works)
    return works, state.place
