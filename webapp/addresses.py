"""Where to send the browser on."""

from flask import Response, make_response, redirect, request
from werkzeug.wrappers import Response as AnyResponse


def own_address(wanted: str, otherwise: str) -> str:
    """The address to go on to, where it is a page of ours; `otherwise` if not."""
    # Behind two slashes, of either kind, stands a host; browsers skip what can't be printed.
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if ours else otherwise


def go_to(address: str) -> AnyResponse:
    """Send the browser on, also from a request that its script made."""
    if "HX-Request" not in request.headers:
        return redirect(address)
    response: Response = make_response("")
    response.headers["HX-Redirect"] = address
    return response
