"""What a client of gRPC sends that was written by hand."""

import struct

_DATA, _HEADERS, _SETTINGS = 0, 1, 4


def _frame(kind, flags, stream, content):
    length = struct.pack(">I", len(content))[1:]
    return length + struct.pack(">BBI", kind, flags, stream) + content


def begun(window=65_535):
    """A connection with a request, of which the message is to come.

    Args:
        window: bytes of the answer that the client is ready to take.
    """
    fields = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": b"/tensorflow.serving.PredictionService/Predict",
        b":authority": b"x",
        b"content-type": b"application/grpc",
        b"te": b"trailers",
    }
    head = b"".join(
        b"\0%c%s%c%s" % (len(name), name, len(value), value)
        for name, value in fields.items()
    )
    settings = struct.pack(">HI", 4, window)
    return (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + _frame(_SETTINGS, 0, 0, settings)
        + _frame(_HEADERS, 4, 1, head)
    )


def message(content, length=None):
    """The message; its end does not come if it is to be longer."""
    told = len(content) if length is None else length
    sent = struct.pack(">BI", 0, told) + content
    pieces = [sent[i : i + 16_384] for i in range(0, len(sent), 16_384)]
    frames = [_frame(_DATA, 0, 1, piece) for piece in pieces]
    end = b"" if told > len(content) else _frame(_DATA, 1, 1, b"")
    return b"".join(frames) + end


def answered(received):
    """Whether there is a head of an answer in what was received."""
    while received:
        length = struct.unpack(">I", b"\0" + received[:3])[0]
        if received[3] == _HEADERS:
            return True
        received = received[9 + length :]
    return False
