"""Flask without what this API does not use, so that no request pays for it."""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter

from api.request import current
from api.request.addresses import Address, Addresses, require_local_host

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class LazyRequest(Request):
    """A request that is taken apart when something asks for its parts: most need their WSGI environment alone."""

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self.environ = environ
        self.method = environ["REQUEST_METHOD"].upper()
        self.shallow = False
        environ["werkzeug.request"] = self

    def close(self) -> None:
        """Close the files that came with the request, if something has asked for them."""
        if "files" in self.__dict__:
            super().close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # Whatever a request has.
        """Returns a part that Werkzeug reads as it makes a request. Raises AttributeError if there is none."""
        if "headers" in self.__dict__:
            raise AttributeError(name)
        super().__init__(self.environ, populate_request=False)
        return getattr(self, name)


class NoSessions(SessionInterface):
    """No request has a session of Flask's, which a cookie would name."""

    _NONE = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002  # As Flask calls it.
        """Returns a session that holds nothing and is never saved."""
        return self._NONE


class KnownAddress:
    """What Flask asks for the endpoint of a request, where that is known; all else of it is Werkzeug's."""

    __slots__ = ("_address", "_make")

    def __init__(self, address: Address, make: Callable[[], MapAdapter]) -> None:
        self._address = address
        self._make = make

    def match(self, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401  # As Werkzeug has it.
        """Returns the rule and its arguments, as MapAdapter.match does; for another method it asks Werkzeug."""
        if arguments or keywords != {"return_rule": True}:
            return self._make().match(*arguments, **keywords)
        return self._address

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # Whatever an adapter has.
        """Returns what Werkzeug's adapter has by this name."""
        return getattr(self._make(), name)


class _Hooks(NamedTuple):
    """What runs around the view of an endpoint: those of the application and of its blueprints."""

    before: tuple[Callable[[], Any], ...]
    after: tuple[Callable[[Response], Response], ...]
    teardown: tuple[Callable[[BaseException | None], object], ...]


class Application(Flask):
    """Flask, whose views and hooks are plain functions, and which finds an endpoint by the shape of its path.

    It collects the hooks of an endpoint once. What Flask has beside them does nothing here: signals about a request,
    `url_value_preprocessor` and `after_this_request`.
    """

    request_class = LazyRequest
    session_interface = NoSessions()

    def __init__(self, name: str, host_names: Collection[str] | None = None) -> None:
        """Without `host_names` a request may have any Host; else see require_local_host."""
        super().__init__(name, static_folder=None)
        self._host_names = host_names
        self.url_map.strict_slashes = False
        self.url_map.merge_slashes = False
        self.addresses = Addresses(self.url_map)
        self._hooks: dict[str | None, _Hooks] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Returns the function as it is: Flask looks at each of them, in each request, whether it is a coroutine."""
        return func

    def full_dispatch_request(self) -> Response:
        """Returns the answer to the request at hand, as Flask's own method does."""
        self._got_first_request = True
        request = current.request()
        try:
            found = self._found_by(self._hooks_of(request).before, request)
        except Exception as error:  # noqa: BLE001  # Whatever it is.
            found = self.handle_user_exception(error)
        response = found if isinstance(found, Response) else self.make_response(found)
        # Those before may have found the endpoint: see find_address.
        for hook in self._hooks_of(request).after:
            response = hook(response)
        return response

    def _found_by(self, hooks: Iterable[Callable[[], Any]], request: Request) -> Any:  # noqa: ANN401  # As Flask has it.
        for hook in hooks:
            found = hook()
            if found is not None:
                return found
        rule = request.url_rule
        # A method that an endpoint does not take has a rule too: see find_address.
        if rule is None or request.routing_exception is not None or request.method == "OPTIONS":
            return self.dispatch_request()
        return self.view_functions[rule.endpoint](**(request.view_args or {}))

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        """Run what ends the request at hand."""
        for hook in self._hooks_of(current.request()).teardown:
            hook(exc)

    def _hooks_of(self, request: Request) -> _Hooks:
        rule = request.url_rule
        endpoint = None if rule is None else rule.endpoint
        try:
            return self._hooks[endpoint]
        except KeyError:
            inwards = (None, *reversed(request.blueprints))
            outwards = inwards[::-1]
            hooks = _Hooks(
                tuple(hook for name in inwards for hook in self.before_request_funcs.get(name, ())),
                tuple(hook for name in outwards for hook in reversed(self.after_request_funcs.get(name, ()))),
                tuple(
                    hook for name in outwards for hook in reversed(self.teardown_request_funcs.get(name, ()))
                ),
            )
            # Before the first request, more may be added.
            if self._got_first_request:
                self._hooks[endpoint] = hooks
            return hooks

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Returns what finds the endpoint of a request. Raises HTTPException for a Host that is not answered."""
        if request is None:
            return super().create_url_adapter(None)
        address = self.addresses.find(request.environ)
        if address is not None:
            return cast("MapAdapter", KnownAddress(address, partial(self._adapter_of, request)))
        adapter = self._adapter_of(request)
        self.addresses.note_host(request.environ)
        return adapter

    def _adapter_of(self, request: Request) -> MapAdapter:
        if self._host_names is not None:
            require_local_host(request.environ, self._host_names)
        return cast("MapAdapter", super().create_url_adapter(request))
