"""Section 4.1: equations 15 to 17, measured."""

import numpy as np
import pytest

from reptile_tf.paper import expansion

ALPHAS = 0.004, 0.002, 0.001


@pytest.fixture(scope="module")
def found():
    every = expansion.measure(ALPHAS, num_tasks=5)
    return {
        name: [e for e in every if e.algorithm == name]
        for name in expansion.COEFFICIENTS
    }


@pytest.mark.parametrize("name", expansion.COEFFICIENTS)
def test_the_remainder_falls_as_alpha_squared(found, name):
    np.testing.assert_allclose(expansion.slopes(found[name]), 2, atol=0.1)


@pytest.mark.parametrize("name", expansion.COEFFICIENTS)
def test_the_coefficients_are_the_papers(found, name):
    expected = expansion.COEFFICIENTS[name]
    errors = [
        np.abs(np.subtract(e.coefficients, expected)) for e in found[name]
    ]
    np.testing.assert_allclose(errors[-1], 0, atol=0.05)
    # The coefficient of alpha AvgGradInner is off by order alpha.
    np.testing.assert_allclose(errors[-1][1] / errors[0][1], 0.25, atol=0.05)


def test_another_coefficient_would_leave_order_alpha(monkeypatch):
    wrong = {"maml": (1, -1), "fomaml": (1, 0), "reptile": (2, -2)}
    monkeypatch.setattr(expansion, "COEFFICIENTS", wrong)
    every = expansion.measure(ALPHAS[:2], num_tasks=2)
    for name in wrong:
        [slope] = expansion.slopes([e for e in every if e.algorithm == name])
        assert slope == pytest.approx(1, abs=0.2)
