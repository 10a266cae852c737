"""What a model's own description says of the pictures that it takes."""

import base64
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from reptile_tf.data.preparation import Preparation
from reptile_tf.serving.remote_model import described

SIGNATURE = "adapt_and_predict_uint8"


class PictureModel(NamedTuple):
    """An exported model that tells classes of pictures apart.

    Attributes:
        ways: N, the classes that it tells apart at most.
        preparation: how a picture becomes an input, as in its training.
        max_steps: the most inner steps that a request may ask for.
        max_examples: the most pictures of a support set.
    """

    ways: int
    preparation: Preparation
    max_steps: int
    max_examples: int

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> "PictureModel":
        """Returns what a model says of itself.

        Args:
            metadata: its signatures by name, as TF Serving tells them.

        Raises:
            ValueError: it does not classify pictures, or is no model that this
                package exports.
        """
        signature = metadata.get(SIGNATURE)
        with described("the model"):
            outputs = {} if signature is None else signature["outputs"]
            found = outputs.get("probabilities")
        if signature is None or found is None:
            raise ValueError(
                f"the model does not classify pictures: it has no {SIGNATURE} "
                "that answers with probabilities"
            )
        with described("the model"):
            limits = metadata["limits"].get("defaults", {})
            [ways] = _shape(found)
            return cls(
                ways,
                _preparation(limits, signature),
                _limit(limits, "max_steps"),
                _limit(limits, "max_examples"),
            )


def _limit(limits: Mapping[str, Any], name: str) -> int:
    # Models exported until version 0.2 do not say; this is export's default.
    return int(limits[name]["int_val"][0]) if name in limits else 1000


def _preparation(
    limits: Mapping[str, Any], signature: Mapping[str, Any]
) -> Preparation:
    if "pictures" in limits:
        [told] = limits["pictures"]["string_val"]
        return Preparation.of_dict(json.loads(base64.b64decode(told)))
    # Models exported until version 0.2 were trained on drawings.
    height, width, channels = _shape(signature["inputs"]["query_images"])
    return Preparation(height, width, channels, "nearest", "dark")


def _shape(info: Mapping[str, Any]) -> list[int]:
    """Returns the shape of one example of a signature's input or output."""
    return [int(dim["size"]) for dim in info["tensor_shape"]["dim"][1:]]
