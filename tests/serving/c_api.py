"""Runs a SavedModel through TensorFlow's C API; a script, not a test.

    python c_api.py FOLDER REQUEST ANSWER

REQUEST is an .npz of the inputs' arrays by tensor name, and of `outputs`, the
names of the tensors to fetch. ANSWER becomes an .npz of their values. The
package tensorflow is never imported: its library is loaded as C code.
"""

import ctypes
import importlib.util
import pathlib
import sys

import numpy as np

# TF_DataType
DTYPES = {np.dtype("float32"): 1, np.dtype("int32"): 3, np.dtype("uint8"): 4}


class Output(ctypes.Structure):
    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


def load_library():
    package = pathlib.Path(importlib.util.find_spec("tensorflow").origin).parent
    flags = ctypes.RTLD_GLOBAL
    ctypes.CDLL(str(package / "libtensorflow_framework.so.2"), flags)
    library = ctypes.CDLL(str(package / "libtensorflow_cc.so.2"), flags)
    for name in (
        *("NewStatus", "NewGraph", "NewSessionOptions", "AllocateTensor"),
        *("TensorData", "LoadSessionFromSavedModel", "GraphOperationByName"),
    ):
        getattr(library, f"TF_{name}").restype = ctypes.c_void_p
    library.TF_Message.restype = ctypes.c_char_p
    library.TF_Dim.restype = ctypes.c_int64
    return library


def main():
    folder, request, answer = sys.argv[1:]
    tf = load_library()
    pointer = ctypes.c_void_p
    status = pointer(tf.TF_NewStatus())

    def check():
        if tf.TF_GetCode(status):
            sys.exit(tf.TF_Message(status).decode())

    graph = pointer(tf.TF_NewGraph())
    tags = (ctypes.c_char_p * 1)(b"serve")
    session = pointer(
        tf.TF_LoadSessionFromSavedModel(
            pointer(tf.TF_NewSessionOptions()),
            None,
            folder.encode(),
            tags,
            1,
            graph,
            None,
            status,
        )
    )
    check()

    def output(name):
        operation, index = name.split(":")
        found = tf.TF_GraphOperationByName(graph, operation.encode())
        return Output(found, int(index))

    def tensor(array):
        dims = (ctypes.c_int64 * array.ndim)(*array.shape)
        size = ctypes.c_size_t(array.nbytes)
        made = tf.TF_AllocateTensor(DTYPES[array.dtype], dims, array.ndim, size)
        data = tf.TF_TensorData(pointer(made))
        ctypes.memmove(data, array.tobytes(), array.nbytes)
        return made

    given = dict(np.load(request))
    fetched = [str(name) for name in given.pop("outputs")]
    n, m = len(given), len(fetched)
    values = (pointer * m)()
    tf.TF_SessionRun(
        session,
        None,
        (Output * n)(*map(output, given)),
        (pointer * n)(*map(tensor, given.values())),
        n,
        (Output * m)(*map(output, fetched)),
        values,
        m,
        None,
        0,
        None,
        status,
    )
    check()
    answers = {}
    for name, value in zip(fetched, values, strict=True):
        value = pointer(value)
        dtype = {i: d for d, i in DTYPES.items()}[tf.TF_TensorType(value)]
        shape = [tf.TF_Dim(value, i) for i in range(tf.TF_NumDims(value))]
        size = int(np.prod(shape)) * dtype.itemsize
        data = ctypes.string_at(tf.TF_TensorData(value), size)
        answers[name] = np.frombuffer(data, dtype).reshape(shape)
    assert "tensorflow" not in sys.modules
    np.savez(answer, **answers)


if __name__ == "__main__":
    main()
