"""A model of the projector that writes the schedules: every state that small worlds can come to, breadth first.

A *world* of the model has one conversation, which the platform moves between two leads and nowhere, two projectors, and
where it says so an erasure, a clock that is set back, a crash, or a conversation that fails. Steps have the names of
the product's steps and points. In each state the places that readers see, X-Data-As-Of, the statistics and what is lost
are judged.

- `state` has the worlds and the states, and judges one.
- `steps` says which steps there are, and what each does. Each rule can be left out of it.
- `rules` says which rules the model has, and in which world it finds out that one is left out.
- `search` goes through the states, and makes schedules of them.
"""
