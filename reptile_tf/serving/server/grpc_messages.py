"""Parsing messages of gRPC, which a client may make of millions of parts.

The parser lets no other thread of its process run, and takes seconds for some
megabytes of empty parts. So the parts are counted first.
"""

from typing import Any

from google.protobuf.message import DecodeError

_MOST_PARTS = 20_000  # fields and texts; all numbers of a tensor are one


def parsed(message: bytes, kind: Any) -> Any:
    """Returns the request that a message is.

    Args:
        message: as it was received.
        kind: the class of the request.

    Raises:
        ValueError: it is none, or has too many parts.
    """
    try:
        _require_few_parts(message, kind.DESCRIPTOR)
        return kind.FromString(message)
    except (DecodeError, IndexError) as error:
        raise ValueError(
            f"The message must be a {kind.DESCRIPTOR.name}: {error}"
        ) from error


def _require_few_parts(message: bytes, descriptor: Any) -> None:
    count, inside = 0, [(0, len(message), descriptor)]
    while inside:
        place, end, kind = inside.pop()
        while place < end:
            count += 1
            if count > _MOST_PARTS:
                raise ValueError(
                    f"The message has more than {_MOST_PARTS} parts; send "
                    "numbers as tensor_content, and fewer texts"
                )
            tag, place = _number(message, place)
            match tag & 7:  # the wire type
                case 0:
                    _, place = _number(message, place)
                case 1:
                    place += 8
                case 5:
                    place += 4
                case 2:
                    length, place = _number(message, place)
                    field = kind.fields_by_number.get(tag >> 3)
                    if field is not None and field.message_type is not None:
                        last = min(place + length, end)
                        inside.append((place, last, field.message_type))
                    place += length
                case _:
                    raise DecodeError("it has groups")


def _number(message: bytes, place: int) -> tuple[int, int]:
    """Returns the number at a place in a message, and the place behind it."""
    number = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
    raise DecodeError("it has a number of more than 64 bits")
