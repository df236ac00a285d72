"""What only a read model on Citus needs, which keeps its tables on several servers, by tenant.

Each statement that writes a table of the read model, and each of a request, names one tenant by a constant, so that
Citus sends it as a whole to the server that holds that tenant. One transaction merges one tenant: the servers commit
one after the other, so that a transaction of several tenants would show some of them before the others, and two such
transactions could wait for each other where no server sees it.
"""
