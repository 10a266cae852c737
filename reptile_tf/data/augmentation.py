"""Placeholder until augmentation is written."""

from typing import Any

NAMED: dict[str, Any] = {"none": None, "flip": None, "crop": None, "flip_and_crop": None}
