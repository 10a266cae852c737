"""Where a server listens."""

import socket


def bind(host: str, port: int) -> socket.socket:
    """Returns a socket that has a port, but takes no connections yet.

    Args:
        host: the address to listen at.
        port: its port, 0 for a free one.

    Raises:
        ValueError: the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    place = socket.socket(family)
    # A port stays reserved for a minute after its last server has ended.
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        place.bind((host, port))
    except OSError as error:
        place.close()
        raise ValueError(
            f"cannot listen at {host}, port {port}: {error.strerror}; give "
            "another port, or 0 for a free one"
        ) from error
    return place


def url(place: socket.socket) -> str:
    """Returns the URL of the server that listens at a socket."""
    host, port, *_ = place.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
