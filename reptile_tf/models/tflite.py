"""TensorFlow's functions as TFLite files."""

import re
import textwrap
import warnings
from typing import Any

import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from reptile_tf.utils.files import temporary_folder


def converted(function: Any, signature: str, what: str, kept: Any) -> bytes:
    """Returns the file of a function.

    Operations that TFLite has not are left to TensorFlow ("Select TF ops"); a
    warning names them, as most interpreters lack TensorFlow.

    Args:
        function: a concrete function that returns a dict of tensors.
        signature: the name to call it by.
        what: is converted, for errors.
        kept: a list or dict of the variables and tables that it reads.

    Raises:
        ValueError: TFLite can neither compute an operation of it nor leave it
            to TensorFlow; names it.
    """
    module = tf.Module()
    # By themselves: of a Keras model that has them the converter would not see
    # that they are constants.
    module.kept = kept
    with temporary_folder() as folder:
        tf.saved_model.save(module, str(folder), {signature: function})
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(folder), signature_keys=[signature]
        )
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS,
            tf.lite.OpsSet.SELECT_TF_OPS,
        ]
        try:
            content = converter.convert()
        # Whatever the converter raises, it cannot convert the function.
        except Exception as error:
            found = re.search("Custom ops: (.*)", str(error))
            reason = f"TFLite lacks {found[1]}" if found else str(error)
            raise ValueError(
                f"{what} cannot be written as TFLite: "
                + textwrap.shorten(reason, 300, placeholder=" ...")
            ) from error
    builtin, others = operations(content)
    if schema.BuiltinOperator.VAR_HANDLE in builtin:
        raise ValueError(
            f"{what} cannot be written as TFLite: it changes its weights when "
            "it is called, and would begin there without values"
        )
    lacking = [name.removeprefix("Flex") for name in others]
    if lacking:
        warnings.warn(
            f"{what} as TFLite leaves {', '.join(lacking)} to TensorFlow: an "
            "interpreter needs the Flex delegate (Select TF ops) for it",
            stacklevel=2,
        )
    return content


def operations(content: bytes) -> tuple[set[int], list[str]]:
    """Returns the operations of a file: TFLite's numbers, and others' names.

    Those that it leaves to TensorFlow have names that begin with "Flex".

    Args:
        content: of the file.
    """
    model = schema.Model.GetRootAs(content, 0)
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    others = {code.CustomCode().decode() for code in codes if code.CustomCode()}
    return {code.BuiltinCode() for code in codes}, sorted(others)
