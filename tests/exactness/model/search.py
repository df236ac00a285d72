"""Visits the states of a world, breadth first, so that each fault comes with a shortest schedule."""

from collections import deque
from dataclasses import dataclass, field

from tests.exactness.model.state import State, first_state, judge
from tests.exactness.model.steps import Label, Model


@dataclass(slots=True)
class Search:
    """The result of a search: from where each state was reached first, and the first state with each fault."""

    model: Model
    came: dict[State, tuple[State, Label] | None] = field(default_factory=dict)
    faults: dict[str, State] = field(default_factory=dict)

    def run(self, *, first_fault: bool = False, most: int = 10_000_000) -> "Search":
        """Go through all states; nothing follows a faulty one."""
        start = first_state(self.model.world)
        self.came[start] = None
        todo = deque([start])
        while todo and not (first_fault and self.faults) and len(self.came) < most:
            state = todo.popleft()
            wrong = judge(self.model.world, state, self.model.without)
            if wrong is not None:
                self.faults.setdefault(wrong, state)
                continue
            for label, after in self.model.steps(state):
                if after not in self.came:
                    self.came[after] = (state, label)
                    todo.append(after)
        return self

    def schedule(self, state: State) -> list[tuple[Label, State]]:
        """Return the steps from the first state to this one, each with the state after it."""
        steps: list[tuple[Label, State]] = []
        while (came := self.came[state]) is not None:
            steps.append((came[1], state))
            state = came[0]
        return steps[::-1]

    def path(self, state: State) -> list[Label]:
        return [label for label, _ in self.schedule(state)]
