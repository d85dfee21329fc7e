"""Networks whose states, fixed points and eigenvalues are known by construction."""

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import nn


class Linear(nn.Module):
    """h(t) = A h(t−1) + B x(t): its one fixed point is (1 − A)⁻¹ B x, and its eigenvalues are those of A."""

    def __init__(self, a: np.ndarray, b: np.ndarray) -> None:
        super().__init__()
        self.a, self.b = (nn.Parameter(torch.tensor(m, dtype=torch.float64)) for m in (a, b))

    def forward(self, x, h0=None, return_states=False):
        h = x.new_zeros(x.shape[1], len(self.a)) if h0 is None else h0
        states = []
        for now in x:
            h = self.step(h, now)
            states.append(h)
        states = torch.stack(states)
        return (states, states) if return_states else states

    def step(self, h, x):
        return h @ self.a.T + x @ self.b.T


class RingAttractor(Linear):
    """A ring of fixed points of radius 1 in a plane of a space of N dimensions, onto which a stimulus pushes the state.

    In the plane the radius goes r → 1.5 r / (1 + r / 2), and the angle stays; across the plane the state is forgotten.
    On the ring the eigenvalues are 1 (along it), 2/3 (across it in the plane) and 0; at the origin 1.5 twice, and 0.
    """

    def __init__(self, dim_ring: int = 16, n_units: int = 6) -> None:
        angles = 2 * np.pi * np.arange(dim_ring) / dim_ring
        one = np.stack([np.cos(angles), np.sin(angles)])
        frame = np.linalg.qr(np.random.default_rng(0).normal(size=(n_units, 2)))[0]
        super().__init__(frame, np.hstack([np.zeros((2, 1)), one, one]))

    def step(self, h, x):
        place = h @ self.a + x @ self.b.T
        radius = place.norm(dim=1, keepdim=True)
        return (place * 1.5 / (1 + radius / 2)) @ self.a.T

    def forward(self, x, h0=None, return_states=False):
        h0 = x.new_zeros(x.shape[1], len(self.a)) if h0 is None else h0
        return super().forward(x, h0, return_states)


def draw_apart(figure: Figure) -> None:
    """Draw a figure: nothing may be cut, and no label of an upright axis or colour bar may run into the next."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # the plain canvas of a figure draws nothing
    drawn, whole = figure.get_tightbbox(canvas.get_renderer()), figure.bbox_inches.padded(1 / figure.dpi)
    assert whole.x0 < drawn.x0 < drawn.x1 < whole.x1, "cut at a side"
    assert whole.y0 < drawn.y0 < drawn.y1 < whole.y1, "cut above or below"
    boxes = [axes.yaxis.label.get_window_extent() for axes in figure.axes if axes.get_ylabel()]
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            assert max(one.x0 - other.x1, other.x0 - one.x1) > 0.15 * figure.dpi
