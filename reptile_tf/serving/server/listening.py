"""Where a server listens."""

import socket


def bind(host: str, port: int) -> socket.socket:
    """Returns a socket that has a port, where clients wait until it answers.

    A port without anybody who listens could be another's, too.

    Args:
        host: the address to listen at.
        port: its port, 0 for a free one.

    Raises:
        ValueError: there is no host, or the port cannot be had.
    """
    if not host:  # an unset variable must not open it to everybody
        raise ValueError(
            "host must be an address, such as 127.0.0.1, or 0.0.0.0 for all "
            "interfaces; received none"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    place = socket.socket(family)
    # A port stays reserved for a minute after its last server has ended.
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        place.bind((host, port))
        place.listen()
    except OSError as error:
        place.close()
        raise ValueError(
            f"cannot listen at {host}, port {port}: {error.strerror}; give "
            "another port, or 0 for a free one"
        ) from error
    return place


def address(place: socket.socket) -> str:
    """Returns HOST:PORT of a socket."""
    host, port, *_ = place.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url(place: socket.socket) -> str:
    """Returns the URL of the server that listens at a socket."""
    return f"http://{address(place)}"
