"""Pickles of plain data are read; whatever else a pickle asks for is not."""

import collections
import copyreg
import io
import os
import pathlib
import pickle
import pickletools
import struct

import numpy as np
import pytest

from reptile_tf.data.sources import pickled_values, plain_pickle

PLAIN = {
    "numbers": [0, -3, 255, 65536, 2**70, -(2**70), 1.5, True, False, None],
    "text": ["", "n01532829", "é\u1234\0", b"", b"\0\xff", bytes(300)],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((1,), [2])],
    "sets": [set(), {1, "a"}, frozenset(), frozenset({(1, "b")})],
    "dicts": {1: {}, ("a", 2): {"b": [1]}, None: 0},
    "ordered": collections.OrderedDict(b=1, a=[2]),
    "default": collections.defaultdict(list, {"n01532829": [0, 1]}),
    "counted": collections.defaultdict(int, {"n01532829": 2}),
}
ARRAYS = [
    np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    np.arange(6.0).reshape(2, 3).T,
    np.arange(24, dtype=">i4").reshape(2, 3, 4).transpose(1, 0, 2),
    np.array([True, False]),
    np.array([1 + 2j], np.complex64),
    np.array(["n01532829", "é"]),
    np.array([b"ab", b"c"]),
    np.array(3, np.float16),
    np.zeros((0, 84), np.uint8),
]


def loads(content):
    return plain_pickle.load(io.BytesIO(content))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_are_read_in_every_protocol(protocol):
    found = loads(pickle.dumps(PLAIN, protocol))
    assert found == PLAIN
    for name, value in PLAIN.items():
        assert type(found[name]) is type(value)
    assert found["default"].default_factory is list
    assert list(found["ordered"]) == ["b", "a"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_are_read_in_every_protocol(protocol):
    content = pickle.dumps([*ARRAYS, np.float32(2.5), np.int64(3)], protocol)
    *arrays, real, whole = loads(content)
    for array, expected in zip(arrays, pickle.loads(content), strict=False):
        assert type(array) is np.ndarray and array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)
    assert (real, type(real)) == (2.5, np.float32)
    assert (whole, type(whole)) == (3, np.int64)


def test_both_names_of_numpys_core_are_known():
    content = pickle.dumps(ARRAYS[0], 2)
    new, old = b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"
    assert new in content or old in content
    for here, there in ((new, old), (old, new)):
        found = loads(content.replace(here, there))
        np.testing.assert_array_equal(found, ARRAYS[0])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_is_twice_in_a_pickle_is_one_object(protocol):
    array = np.arange(3)
    own = [array, {"again": array}]
    own.append(own)
    found = loads(pickle.dumps(own, protocol))
    assert found[0] is found[1]["again"] and found[2] is found


def python2(shape, content, protocol):
    """A pickle as Python 2 writes that of {"image_data": uint8 array}."""
    if protocol == 2:
        data = b"T" + struct.pack("<i", len(content)) + content
    else:
        data = b"S" + repr(content)[1:].encode() + b"\n"
    sizes = b"".join(b"I%d\n" % size for size in shape)
    return (
        (b"\x80\x02" if protocol == 2 else b"")
        + b"(dS'image_data'\ncnumpy.core.multiarray\n_reconstruct\n"
        + b"(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        + b"(I1\n(" + sizes + b"tcnumpy\ndtype\n(S'u1'\nI0\nI1\ntR"
        + b"(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\n" + data + b"tbs."
    )  # fmt: skip


@pytest.mark.parametrize("protocol", [0, 2])
def test_python_2_is_read(protocol):
    content = bytes(range(256))
    found = loads(python2((64, 4), content, protocol))
    assert list(found) == ["image_data"]
    expected = np.arange(256, dtype=np.uint8).reshape(64, 4)
    np.testing.assert_array_equal(found["image_data"], expected)


def test_a_path_and_a_file_are_read(tmp_path):
    path = tmp_path / "data.pkl"
    path.write_bytes(b"before" + pickle.dumps([1]))
    with path.open("rb") as file:
        file.seek(6)
        assert plain_pickle.load(file) == [1]
    path.write_bytes(pickle.dumps([1]))
    assert plain_pickle.load(path) == plain_pickle.load(str(path)) == [1]


class Harm:
    """Pickled as a call of something."""

    def __init__(self, function, *arguments):
        self.called = function, arguments

    def __reduce__(self):
        return self.called


def text(value):
    """Instructions that push a str."""
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def stack_global(module, name):
    return b"\x80\x04" + text(module) + text(name) + b"\x93."


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value, message",
    [
        (Harm(os.system, "touch harm"), "system, which is no plain data"),
        (Harm(eval, "1"), "eval, which is"),
        (Harm(getattr, [], "append"), "getattr, which is"),
        (Harm(np.fromfile, "x"), "fromfile, which is"),
        (Harm(np.load, "x"), "numpy.load, which is"),
        (Harm(bytes, 1 << 40), "TypeError"),
        (Harm(list, (1,)), "calls list"),
        (np.array([None]), "an array of dtype O8"),
        (np.zeros(2, [("a", "f4")]), "an array of dtype V4"),
        (np.array(["2020"], "M8[D]"), "an array of dtype M8"),
        (np.zeros(2).view(np.recarray), "numpy.*recarray, which is"),
        (np.ma.zeros(2), "numpy.ma.*, which is"),
        (pathlib.PurePosixPath("a"), "PurePosixPath, which is"),
        (collections.Counter("a"), "collections.Counter, which is"),
        (1j, "complex, which is"),
        (np.dtype("f4"), "holds a numpy.dtype as a value"),
        ([{"a": (list,)}], "holds list itself as a value"),
        (collections.defaultdict(os.getcwd), "getcwd, which is"),
        (collections.defaultdict(bytearray), "bytearray, which is"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_all_else_is_refused_by_name(value, message, protocol, tmp_path):
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps([1, value], protocol))
    with pytest.raises(ValueError, match=f"(?s)^{path} .*{message}"):
        plain_pickle.load(path)
    assert not list(tmp_path.rglob("harm")) and not os.path.exists("harm")


@pytest.mark.parametrize(
    "module, name",
    [
        ("numpy", "ndarray.tofile"),
        ("numpy", "ndarray.__class__"),
        ("numpy.core.multiarray", "_reconstruct.__self__"),
        ("numpy._core.multiarray", "fromfile"),
        ("numpy._core.numeric", "_frombuffer.__globals__"),
        ("numpy", "core.multiarray._reconstruct"),
        ("builtins", "list.__init__"),
        ("collections", "OrderedDict.fromkeys"),
        ("_codecs", "lookup"),
        ("numpy.core", "multiarray"),
        ("reptile_tf.data.sources.pickled_values", "Named"),
        ("os", "system"),
    ],
)
def test_no_other_name_is_reached(module, name):
    for content in (
        stack_global(module, name),
        f"c{module}\n{name}\n.".encode(),
        f"(i{module}\n{name}\n.".encode(),
    ):
        with pytest.raises(ValueError, match="names .*, which is no plain"):
            loads(content)
    with pytest.raises(ValueError, match=f"names {module}.{name}, which"):
        loads(stack_global(module, name))


def test_a_name_cannot_write_on_the_terminal():
    with pytest.raises(ValueError) as caught:
        loads(stack_global("os\x1b[2J", "x" * 1000))
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 300


NDARRAY = b"cnumpy\nndarray\n"
DTYPE = b"cnumpy\ndtype\n(S'u1'\nI0\nI1\ntR"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
BLANK = RECONSTRUCT + b"(" + NDARRAY + b"(I0\ntS'b'\ntR"
FILLED = b"cnumpy._core.numeric\n_frombuffer\n(C\1a" + DTYPE + b"(I1\ntS'C'\ntR"
STATE = b"(I1\n(I1\nt" + DTYPE + b"I0\nS'a'\nt"


@pytest.mark.parametrize(
    "content, message",
    [
        (b"Pid\n.", "instruction PERSID"),
        (b"S'id'\nQ.", "instruction BINPERSID"),
        (b"\x82\x01.", "instruction EXT1"),
        (b"\x83\x01\x00.", "instruction EXT2"),
        (b"\x84\x01\x00\x00\x00.", "instruction EXT4"),
        (b"cbuiltins\nlist\n)\x81.", "instruction NEWOBJ"),
        (b"cbuiltins\nlist\n)}\x92.", "instruction NEWOBJ_EX"),
        (b"(cbuiltins\nlist\no.", "instruction OBJ"),
        (b"(ibuiltins\nlist\n.", "an object of list"),
        (b"\x97.", "instruction NEXT_BUFFER"),
        (b"S'a'\n\x98.", "instruction READONLY_BUFFER"),
        # Nothing but an array or a dtype is given a state.
        (b"cbuiltins\nlist\n}b.", "changes list"),
        (NDARRAY + b"(N}tb.", "changes numpy.ndarray"),
        (RECONSTRUCT + b"(N}tb.", "changes _reconstruct"),
        (b"]}b.", "changes list"),
        (BLANK + STATE + b"b" + STATE + b"b.", "changes ndarray"),
        (FILLED + STATE + b"b.", "changes ndarray"),
        # And nothing but a name is called.
        (b"I1\n)R.", "calls int"),
        (BLANK + b")R.", "calls ndarray"),
        (NDARRAY + b"(I9\ntR.", "calls numpy.ndarray"),
        (RECONSTRUCT + b"(cbuiltins\nlist\n(I0\ntS'b'\ntR.", "of type list"),
        (b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.", "otherwise than latin1"),
        (b"cnumpy\ndtype\n(S'O'\ntR.", "dtype O"),
        (b"cnumpy\ndtype\n(S'u1,O'\ntR.", "dtype u1,O"),
        (b"cnumpy\ndtype\n(" + NDARRAY + b"tR.", "dtype numpy.ndarray"),
        (b"cnumpy\ndtype\n((tI0\nI1\ntR.", "dtype tuple"),
        # A dtype made into one of records or objects, later.
        (DTYPE + b"(I3\nS'|'\nN(S'a'\ntN" + b"I-1\n" * 3 + b"tb.", "records"),
        (DTYPE + b"(I3\nS'|'\nNN}" + b"I-1\n" * 3 + b"tb.", "records"),
        (DTYPE + b"(I3\nS'O'\nNNN" + b"I-1\n" * 3 + b"tb.", "records"),
        # Arrays that are not what they say.
        (BLANK + b"(I1\n(I9\nt" + DTYPE + b"I0\nS'a'\ntb.", "do not fit"),
        (BLANK + b"(I1\n(I-1\nt" + DTYPE + b"I0\nS'a'\ntb.", "do not fit"),
        (BLANK + b"(I1\n(I1\ntNI0\nS'a'\ntb.", "do not fit"),
        (BLANK + b"(I1\n(I1\nt" + DTYPE + b"I0\n]tb.", "of Python objects"),
        (BLANK + b"Nb.", "TypeError"),
        # Keys that have no end when they are hashed, and unhashable ones.
        (b"}((((tttNu.", "tuple in a key"),
        (b"}(]Nu.", "list in a key"),
        (b"(]Nd.", "list in a key"),
        (b"}]Ns.", "list in a key"),
        (b"\x8f(]\x90.", "list in a key"),
        (b"(]\x91.", "list in a key"),
        (b"cbuiltins\nset\n((((ttltR.", "tuple in a key"),
        (b"](I1\nI1\nu.", "only a dict"),
        (BLANK + b"I0\nI1\ns.", "only a dict"),
        (b"](I1\n\x90.", "only to a set"),
    ],
)  # fmt: skip
def test_the_machine_cannot_be_abused(content, message):
    with pytest.raises(ValueError, match=message):
        loads(content)


def test_no_instruction_is_pickles_own_that_is_not_plain():
    """The table has all instructions; those that are not ours are harmless."""
    dispatch = plain_pickle._Unpickler.dispatch
    assert set(dispatch) == {ord(op.code) for op in pickletools.opcodes}
    own = pickle._Unpickler.dispatch
    for op in pickletools.opcodes:
        if dispatch[ord(op.code)] is own[ord(op.code)]:
            assert op.name in plain_pickle._HARMLESS
    assert not {"REDUCE", "BUILD", "INST", "OBJ"} & set(plain_pickle._HARMLESS)


def test_what_a_registered_extension_is_does_not_matter():
    copyreg.add_extension("os", "system", 201)
    try:
        with pytest.raises(ValueError, match="instruction EXT1"):
            loads(b"\x80\x02\x82\xc9S'true'\n\x85R.")
    finally:
        copyreg.remove_extension("os", "system", 201)


def test_deep_tuples_do_not_crash_python():
    deep = b"(t" + b"\x85" * 10**6
    with pytest.raises(ValueError, match="tuple in a key"):
        loads(b"}" + deep + b"Ns.")
    assert len(loads(deep + b".")) == 1


def test_a_small_pickle_cannot_fill_the_memory():
    encode = b"c_codecs\nencode\n(g0\nS'latin1'\ntR0"
    big = text("a" * 10**5) + b"p0\n0"
    with pytest.raises(ValueError, match="copied again and again"):
        loads(big + encode * 1000 + b"N.")


def test_what_is_shared_a_million_times_is_looked_at_once():
    doubled = b"]p0\n0" + b"".join(
        b"](g%d\ng%d\nep%d\n0" % (i, i, i + 1) for i in range(60)
    )
    assert len(loads(doubled + b"g60\n.")) == 2


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_cut_short_anywhere_is_refused(protocol, tmp_path):
    content = pickle.dumps({"a": [1, "b"], "c": np.arange(4)}, protocol)
    path = tmp_path / "data.pkl"
    for end in range(len(content)):
        path.write_bytes(content[:end])
        # A name that is cut is another name.
        message = f"^{path} (is no pickle, or is damaged or cut short|names )"
        with pytest.raises(ValueError, match=message):
            plain_pickle.load(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_changed_byte_makes_other_data_or_a_refusal(protocol):
    """Never anything else, such as a crash or another kind of error."""
    content = pickle.dumps({"a": [1, "b"], "c": np.arange(4)}, protocol)
    rng = np.random.default_rng(protocol)
    for _ in range(3000):
        changed = bytearray(content)
        for at in rng.integers(0, len(content), rng.integers(1, 4)):
            changed[at] = rng.integers(256)
        try:
            loads(bytes(changed))
        except ValueError:
            pass


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"PK\x03\x04" + bytes(100),
        b"T\xff\xff\xff\x7f.",
        b"\x8e" + struct.pack("<Q", 1 << 62) + b"a.",  # BINBYTES8
        b"\x96" + struct.pack("<Q", 1 << 40) + b"a.",  # BYTEARRAY8
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"N.",  # FRAME
        b"r\xff\xff\xff\xff",
        b"h\x05.",
        b"0.",
        b"\x80\xffN.",
    ],
)
def test_what_is_no_pickle_is_refused(content):
    with pytest.raises(ValueError, match="^the pickle .*is no pickle"):
        loads(content)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nowhere.pkl cannot be read: .*No su"):
        plain_pickle.load(tmp_path / "nowhere.pkl")


def test_names_give_no_functions_of_others():
    for named in pickled_values._names().values():
        if named.make is not None:
            assert named.make.__module__ == pickled_values.__name__
