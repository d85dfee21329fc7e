"""Pictures: read back from their pixels."""

from __future__ import annotations

import copy
import pickle
import warnings

import gymnasium as gym
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from modcog import ModcogError
from modcog.envs.env import ModCogEnv
from modcog.envs.render import DPI, RESPONSE, RIGHT, SIZE, Picture

matplotlib.use("Agg")
HEIGHT, WIDTH = round(SIZE[1] * DPI), round(SIZE[0] * DPI)


def places(picture, colour):
    """Row and column of every pixel of a colour."""
    wanted = np.round(255 * np.array(to_rgb(colour))).astype(int)
    return np.argwhere(np.abs(picture[: HEIGHT * 3 // 4].astype(int) - wanted).max(axis=2) <= 2)


def angle(picture, colour):
    """Where on the middle dial a colour stands, in positions of 16 anticlockwise from the right; None: the centre."""
    row, column = places(picture, colour).mean(axis=0)
    up, right = HEIGHT * (1 - 0.2 - 0.33) - row, column - WIDTH / 2
    return None if np.hypot(up, right) < 20 else round(np.arctan2(up, right) / (2 * np.pi / 16), 2) % 16


def shown(last, observation=None, n=16):
    observation = np.zeros(1 + 2 * n, np.float32) if observation is None else observation
    return Picture(n, "go", "rgb_array", 10).draw(observation, "decision", 3, last)


@pytest.mark.parametrize("n", [4, 16, 64])
@pytest.mark.parametrize("rule_input", [False, True])
def test_every_step_is_a_picture(n, rule_input):
    env = ModCogEnv("ctxdm1seqr", render_mode="rgb_array", dim_ring=n, rule_input=rule_input, dt=200)
    env.reset(seed=0)
    pictures = [env.render()]
    ended = False
    while not ended:
        ended = env.step(int(env.gt[env.t_ind]))[2]
        pictures.append(env.render())
    for picture in pictures:
        assert picture.shape == (HEIGHT, WIDTH, 3)
        assert picture.dtype == np.uint8
        assert picture.flags.writeable
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    env.close()


@pytest.mark.parametrize("direction", [0, 5, 10])
@pytest.mark.parametrize("modality", [1, 2])
def test_the_ring_lights_up_where_the_stimulus_is(direction, modality):
    observation = np.zeros(33, np.float32)
    observation[1 + 16 * (modality - 1) + direction] = 1
    before, after = shown(None).astype(int), shown(None, observation).astype(int)
    changed = np.argwhere(np.abs(before - after).max(axis=2) > 30)
    row, column = changed.mean(axis=0)
    centre = WIDTH * (0.18 if modality == 1 else 0.82)
    up, right = HEIGHT * 0.47 - row, column - centre
    assert (np.arctan2(up, right) / (2 * np.pi / 16) + 1) % 16 == pytest.approx(direction + 1, abs=0.1)
    assert np.hypot(up, right) == pytest.approx(70, abs=6)
    assert after[changed[:, 0], changed[:, 1]].mean() < 90  # dark


def test_the_cue_goes_off():
    on, off = np.zeros(33, np.float32), np.zeros(33, np.float32)
    on[0] = 1
    row, column = round(HEIGHT * 0.47), WIDTH // 2
    assert shown(None, on)[row, column].max() < 30
    assert shown(None, off)[row, column].min() > 200


def test_response_and_right_response_stand_on_the_dial():
    picture = shown((1 + 4, 1 + 9))
    assert angle(picture, RESPONSE) == pytest.approx(4, abs=0.1)
    assert angle(picture, RIGHT) == pytest.approx(9, abs=0.1)
    picture = shown((0, 1 + 12))
    assert angle(picture, RESPONSE) is None
    assert angle(picture, RIGHT) == pytest.approx(12, abs=0.1)
    assert not len(places(shown(None), RESPONSE))
    assert not len(places(shown(None), RIGHT))


def test_the_last_response_is_still_shown_when_the_next_trial_has_begun():
    env = ModCogEnv("go", render_mode="rgb_array", trials_per_episode=None)
    env.reset(seed=0)
    assert not len(places(env.render(), RESPONSE))
    target = int(env.gt[-1])
    for action in [0] * 10 + [target]:
        env.step(action)
    assert env.t_ind == 0
    expected = (target - 1) % 16
    assert angle(env.render(), RESPONSE) == pytest.approx(expected, abs=0.1)
    assert angle(env.render(), RIGHT) == pytest.approx(expected, abs=0.1)
    env.reset()
    assert not len(places(env.render(), RESPONSE))


def test_only_what_changes_is_drawn_again(monkeypatch):
    """The rest takes most of the time, and is stored with the first picture."""
    whole = []
    draw = FigureCanvasAgg.draw
    monkeypatch.setattr(FigureCanvasAgg, "draw", lambda canvas, *rest: (whole.append(1), draw(canvas, *rest))[1])
    env = ModCogEnv("ctxdm1", render_mode="rgb_array", trials_per_episode=None)
    env.reset(seed=0)
    for _ in range(20):
        env.step(0)
        env.render()
    assert len(whole) == 1


def test_no_window_without_a_screen_but_a_word_about_it():
    env = ModCogEnv("dms", render_mode="human")
    with pytest.warns(UserWarning, match="'[Aa]gg' opens no window"):
        env.reset(seed=0)
    (number,) = plt.get_fignums()
    assert env.render() is None
    env.step(0)
    drawn = np.asarray(plt.figure(number).canvas.buffer_rgba())[:, :, :3]
    twin = ModCogEnv("dms", render_mode="rgb_array")
    twin.reset(seed=0)
    twin.step(0)
    np.testing.assert_allclose(drawn.astype(int), twin.render(), atol=3)
    env.close()
    env.close()
    assert not plt.get_fignums()


def test_a_window_is_shown_and_kept_up_to_date(monkeypatch):
    """A backend with windows, as far as the figure can tell: the picture must go through its event loop."""
    calls = []
    monkeypatch.setattr(FigureCanvasAgg, "required_interactive_framework", "test")
    monkeypatch.setattr(Figure, "show", lambda figure: calls.append("show"))
    monkeypatch.setattr(FigureCanvasAgg, "start_event_loop", lambda canvas, timeout: calls.append(timeout))
    env = ModCogEnv("go", render_mode="human")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env.reset(seed=0)
        env.step(0)
    assert calls == ["show", 0.1, 0.1]
    env.close()


def test_without_a_mode_there_is_no_picture_but_a_word_about_it():
    env = ModCogEnv("go")
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="without a render_mode"):
        assert env.render() is None


def test_there_is_nothing_to_draw_before_the_first_trial():
    with pytest.raises(ModcogError, match="call reset\\(\\) before render\\(\\)"):
        ModCogEnv("go", render_mode="rgb_array").render()


def test_copies_and_pickles_draw_for_themselves():
    env = ModCogEnv("go", render_mode="rgb_array")
    env.reset(seed=0)
    expected = env.render()
    for twin in (copy.deepcopy(env), pickle.loads(pickle.dumps(env))):
        np.testing.assert_array_equal(twin.render(), expected)


def test_gymnasium_collects_the_pictures():
    env = gym.make("modcog/rtgo-v0", render_mode="rgb_array_list")
    env.reset(seed=0)
    env.step(0)
    assert [frame.shape for frame in env.render()] == [(HEIGHT, WIDTH, 3)] * 2


def test_a_pixel_stands_for_the_action_that_is_drawn_there():
    picture = Picture(16, "go", "rgb_array", 10)
    observation = np.zeros(33, np.float32)
    for action in range(17):
        row, column = places(picture.draw(observation, "decision", None, (action, None)), RESPONSE).mean(axis=0)
        assert picture.action_at(column, row) == action
    assert picture.action_at(5, 5) is None
    assert not len(places(picture.draw(observation, "decision", None, (3, None)), RIGHT))
