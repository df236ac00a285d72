"""From checked parameters to one statement with its values: pure functions, no I/O.

Each answer comes from one statement, so that its rows, its total, the existence of the lead and its freshness belong
to one snapshot. A statement is built once for each shape of a request and then kept.
"""
