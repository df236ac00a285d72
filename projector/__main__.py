"""`python -m projector`: see projector/cli."""

from projector.cli import main

main()
