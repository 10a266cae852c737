"""JSON values as arrays, and those that are none."""

import numpy as np
import pytest

from reptile_tf.serving.server import values

WHOLE = "x must be whole numbers, such as 3, of type"
FINITE = "x must be finite numbers, such as 0.5, of type float32"
FULL = "x must be a full array"


@pytest.mark.parametrize(
    "dtype, value, message",
    [
        ("int32", 1.5, f"{WHOLE} int32; received 1.5"),
        ("int32", [3.0], f"{WHOLE} int32; received 3.0"),
        ("int64", [1, True], f"{WHOLE} int64; received true"),
        ("int64", [[1], ["2"]], f'{WHOLE} int64; received "2"'),
        ("int32", 2**31, "x must be -2147483648 to 2147483647, .* 2147483648"),
        ("int64", -(2**63) - 1, "x must be .* received -9223372036854775809"),
        ("uint8", [255, 256], "x must be 0 to 255, of type uint8; .* 256"),
        ("uint8", [-1], "x must be 0 to 255, of type uint8; received -1"),
        ("float32", "NaN", f'{FINITE}; received "NaN"'),
        ("float32", [[1], [None]], f"{FINITE}; received null"),
        ("float32", [1.0, True], f"{FINITE}; received true"),
        ("float32", {"b": 1}, f"{FINITE}; received an object"),
        ("float32", {"b64": "/w=="}, f"{FINITE}; received an object"),
        ("float32", [1e99], rf"{FINITE}, up to 3.4e\+38; received 1e\+99"),
        ("float32", [2**24], "below 16777216, or .* received 16777216"),
        ("float32", [-(2**24) - 1], "with a decimal point.* -16777217"),
        ("float64", [2**53 + 1], "rounded to float64; .* 9007199254740993"),
        ("float32", "a" * 50, f'{FINITE}; received "{"a" * 40}..."'),
        ("object", [5], 'x must be texts, such as "a"; received 5'),
        ("object", ["a", None], "x must be texts.*; received null"),
        ("object", [{"b": "/"}], "x must be texts.*; received an object"),
        ("object", {"b64": "/"}, 'x must be texts; received "/" as b64'),
        ("bool", [1], "x must be true or false; received 1"),
        ("complex64", [1], "x is of type complex64, which JSON cannot hold"),
        ("int32", [[1], [1, 2]], f"{FULL}.*; received lists of 1 and of 2"),
        ("object", [["a"], []], f"{FULL}.*; received lists of 0 and of 1"),
        ("int32", [[1], 2], f"{FULL}, as deep .*; received 2 beside a list"),
        ("object", ["a", ["b"]], f'{FULL}, as deep .*; received "a" beside'),
    ],
)
def test_what_does_not_fit_is_named(dtype, value, message):
    with pytest.raises(ValueError, match=f"{message}"):
        values.to_array("x", value, np.dtype(dtype))


@pytest.mark.parametrize(
    "dtype, value",
    [
        ("int32", [[2**31 - 1], [-(2**31)]]),
        ("int64", [2**53 + 1, 2**63 - 1]),
        ("uint64", 2**64 - 1),
        ("float32", [[16777215, -16777215, 0.5]]),
        ("float64", [2**53 - 1]),
        ("bool", [True, False]),
        ("float32", [[], []]),
        ("object", []),
        ("int32", 7),
    ],
)
def test_what_fits_arrives_exactly(dtype, value):
    array = values.to_array("x", value, np.dtype(dtype))
    assert array.dtype == dtype and array.tolist() == value


def test_texts_are_bytes_and_come_back():
    given = ["Wörter", "", {"b64": "/wA="}]
    array = values.to_array("x", [given], np.dtype(object))
    assert array.tolist() == [["Wörter".encode(), b"", b"\xff\x00"]]
    assert values.to_json("x", array) == [given]
    encoded = [[{"b64": "V8O2cnRlcg=="}, {"b64": ""}, {"b64": "/wA="}]]
    assert values.to_json("x_bytes", array) == encoded
