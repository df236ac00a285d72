"""The application is Flask as it is made: what an engineer adds to one works here."""

from flask import Flask, Response, after_this_request, request_finished, request_started
from werkzeug.routing import BaseConverter

from tests.unit.api.conftest import Library, MakeApp


class _Upper(BaseConverter):
    def to_python(self, value: str) -> str:
        return value.upper()


def _mark(response: Response) -> Response:
    response.headers["X-Marked"] = "yes"
    return response


def test_signals_converters_and_after_this_request_work(library: Library, make_app: MakeApp) -> None:
    app, seen = make_app(library.database), []

    def view(word: str) -> str:
        after_this_request(_mark)
        return word

    app.url_map.converters["upper"] = _Upper
    app.add_url_rule("/words/<upper:word>", view_func=view)
    app.url_value_preprocessor(lambda _endpoint, values: seen.append(values))
    with (
        request_started.connected_to(lambda *_: seen.append("started"), app),
        request_finished.connected_to(lambda *_, **__: seen.append("finished"), app),
    ):
        answer = app.test_client().get("/words/a")
    assert (answer.text, answer.headers["X-Marked"]) == ("A", "yes")
    assert seen == ["started", {"word": "A"}, "finished"]
    assert type(app) is Flask
