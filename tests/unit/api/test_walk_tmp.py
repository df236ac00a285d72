import sys, os
ROOT = os.getcwd() + "/"
class Trace:
    def __init__(self): self.prefix = ROOT + "api/"; self.calls = []
    def __call__(self, frame, event, arg):
        f = frame.f_code.co_filename
        if event == "call" and f.startswith(self.prefix): self.calls.append((f[len(ROOT)+4:], frame.f_code.co_name))
def test_walk(client, user_id="u"):
    url = f"/users/{user_id}/leads?lead_status=Hot"
    for i in range(4):
        t = Trace(); sys.setprofile(t)
        try: r = client.get(url); r.data
        finally: sys.setprofile(None)
        assert r.status_code == 200, r.data
    calls = t.calls
    moves = sum(a[0] != b[0] for a, b in zip(calls, calls[1:]))
    order = []
    for c in calls:
        if not order or order[-1] != c[0]: order.append(c[0])
    idx = next((i for i, o in enumerate(order) if o.startswith("routes/leads")), None)
    sys.__stderr__.write(f"\nGET list: files {len({c[0] for c in calls})} functions {len(set(calls))} calls {len(calls)} moves {moves}; before the route {idx}\n  " + " > ".join(order) + "\n")
