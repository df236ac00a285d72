"""Attempts to make the read model wrong: random, directed, by dropping each rule, by crashes and by sabotage."""
