"""Notebook 02's Jacobian, taken out of the stored notebook, against finite differences."""

import numpy as np
from mxnet import nd

from tools.notebook import notebook_names


def test_jacobian_is_that_of_prediction_mode():
    space = notebook_names('02_residual_block', ('def jacobian(',))
    branch, x, step = space['branch'], space['x'], 1e-2
    columns = []
    for i in range(x.size):
        shift = np.zeros(x.size)
        shift[i] = step
        shift = nd.array(shift.reshape(x.shape))
        columns.append(((branch(x + shift) - branch(x - shift)) / (2 * step)).asnumpy().ravel())
    # A few entries may straddle a ReLU's corner.
    assert np.median(abs(space['J_F'] - np.stack(columns, axis=1))) < 1e-3
    assert (abs(space['J_F'] - np.stack(columns, axis=1)) < 1e-2).mean() > 0.95
