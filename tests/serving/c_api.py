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
pointer = ctypes.c_void_p


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


class Session:
    """A SavedModel in a session of the C API."""

    def __init__(self, folder):
        self.tf = tf = load_library()
        self.status = pointer(tf.TF_NewStatus())
        self.graph = pointer(tf.TF_NewGraph())
        self.session = pointer(
            tf.TF_LoadSessionFromSavedModel(
                pointer(tf.TF_NewSessionOptions()),
                None,
                folder.encode(),
                (ctypes.c_char_p * 1)(b"serve"),
                1,
                self.graph,
                None,
                self.status,
            )
        )
        self.check()

    def check(self):
        if self.tf.TF_GetCode(self.status):
            sys.exit(self.tf.TF_Message(self.status).decode())

    def run(self, given, fetched):
        """Returns tensor name -> value of the tensors `fetched`."""
        n, m = len(given), len(fetched)
        values = (pointer * m)()
        self.tf.TF_SessionRun(
            self.session,
            None,
            (Output * n)(*map(self.output, given)),
            (pointer * n)(*map(self.tensor, given.values())),
            n,
            (Output * m)(*map(self.output, fetched)),
            values,
            m,
            None,
            0,
            None,
            self.status,
        )
        self.check()
        arrays = [self.array(pointer(value)) for value in values]
        return dict(zip(fetched, arrays, strict=True))

    def output(self, name):
        operation, index = name.split(":")
        found = self.tf.TF_GraphOperationByName(self.graph, operation.encode())
        return Output(found, int(index))

    def tensor(self, array):
        tf = self.tf
        dims = (ctypes.c_int64 * array.ndim)(*array.shape)
        size = ctypes.c_size_t(array.nbytes)
        made = tf.TF_AllocateTensor(DTYPES[array.dtype], dims, array.ndim, size)
        data = tf.TF_TensorData(pointer(made))
        ctypes.memmove(data, array.tobytes(), array.nbytes)
        return made

    def array(self, value):
        tf = self.tf
        dtype = {i: d for d, i in DTYPES.items()}[tf.TF_TensorType(value)]
        shape = [tf.TF_Dim(value, i) for i in range(tf.TF_NumDims(value))]
        size = int(np.prod(shape)) * dtype.itemsize
        data = ctypes.string_at(tf.TF_TensorData(value), size)
        return np.frombuffer(data, dtype).reshape(shape)


def main():
    folder, request, answer = sys.argv[1:]
    given = dict(np.load(request))
    fetched = [str(name) for name in given.pop("outputs")]
    answers = Session(folder).run(given, fetched)
    assert "tensorflow" not in sys.modules
    np.savez(answer, **answers)


if __name__ == "__main__":
    main()
