"""The site builds strictly, all its links lead somewhere, and what is generated is complete."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from importlib import import_module
from io import BytesIO
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urldefrag, urlsplit

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from pydantic import BaseModel

import modcog
from modcog.battery import BatteryConfig
from modcog.cli import COMMANDS, main
from modcog.data.config import ExportConfig
from modcog.envs.render import RESPONSE
from modcog.envs.stepping import EnvOptions
from modcog.evaluation import levels
from modcog.experiments.sweeps.grid import Grid
from modcog.models.factory import LocalityConfig, UserConfig
from modcog.training.config import TrainConfig

ROOT = Path(__file__).parents[1]
BASES = modcog.collection("yang19")

WIDEST = 88
"""Columns of code that a page has room for on a screen of 1280 pixels."""


@dataclass
class Page(HTMLParser):
    """Anchors, links and metadata of a page of the site."""

    text: str
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids.update(found[name] for name in ("id", "name") if name in found)
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag in ("img", "script", "iframe", "source") and "src" in found:
            self.loaded.append(found["src"])
        elif tag == "link" and found.get("rel") != "canonical":
            self.loaded.append(found["href"])
        elif tag == "meta" and "content" in found:
            self.meta[found.get("property") or found.get("name", "")] = found["content"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, with small pictures in place of the drawn ones."""
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)],
        cwd=ROOT, env={**os.environ, "MODCOG_DOCS_PICTURES": "false", "MODCOG_SITE_URL": "https://modcog.example/at/"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def site(folder: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}


@pytest.fixture(scope="module")
def pictures() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs/generate")
        yield import_module("pictures")


def test_every_link_leads_somewhere(site: dict[Path, Page], folder: Path) -> None:
    dead = []
    for path, page in site.items():
        for link in (*page.links, *page.loaded):
            if urlsplit(link).scheme or path.name == "404.html":  # that page is for any address
                continue
            target, anchor = urldefrag(link)
            place = (path.parent / unquote(target)).resolve() if target else path
            place = place / "index.html" if place.is_dir() else place
            known = place.exists() and (not anchor or place not in site or unquote(anchor) in site[place].ids)
            if not known:
                dead.append(f"{path.relative_to(folder)}: {link}")
    assert dead == []


def test_nothing_is_loaded_from_elsewhere(site: dict[Path, Page], folder: Path) -> None:
    outside = [link for page in site.values() for link in page.loaded if urlsplit(link).netloc]
    styles = [path.read_text(encoding="utf-8") for path in folder.rglob("*.css")]
    assert outside == []
    assert [found for text in styles for found in re.findall(r"url\(\s*['\"]?(?:https?:)?//[^)]*", text)] == []


def test_every_page_has_a_card(site: dict[Path, Page], folder: Path) -> None:
    """Other sites do not know relative addresses."""
    for path, page in site.items():
        assert page.meta["og:image"] == "https://modcog.example/at/assets/card.png", path
        assert page.meta["og:title"]
        assert page.meta["og:description"]
    assert site[folder / "training.html"].meta["og:title"] == "Training"
    assert site[folder / "training.html"].meta["og:url"] == "https://modcog.example/at/training.html"
    assert Image.open(folder / "assets/card.png").size == (1200, 630)


def test_the_search_has_its_index_as_a_script_too(site: dict[Path, Page], folder: Path) -> None:
    """A page from disk may load scripts, but no data."""
    script = (folder / "search/search_index.js").read_text(encoding="utf-8")
    data = (folder / "search/search_index.json").read_text(encoding="utf-8")
    assert json.loads(script.partition("=")[2]) == json.loads(data)
    assert all(any(name.endswith("assets/iframe-worker.js") for name in page.loaded) for page in site.values())


@pytest.mark.parametrize("page", ["index.html", "gallery/dm1.html"])
def test_the_search_works_from_disk(page: str, folder: Path, tmp_path: Path) -> None:
    if not (chromium := shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("no browser")
    words = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"]
    address = f"{(folder / page).as_uri()}?q=autapse"
    done = subprocess.run([*words, f"--user-data-dir={tmp_path}", address], capture_output=True, text=True, check=False)
    assert re.search(r'md-search-result__meta">\s*\d+ matching documents', done.stdout)


def test_no_code_block_is_left_as_text(site: dict[Path, Page], folder: Path) -> None:
    assert [str(path.relative_to(folder)) for path, page in site.items() if "```" in page.text] == []


def test_no_row_is_outside_its_table(site: dict[Path, Page], folder: Path) -> None:
    """As after a blank line."""
    assert [str(path.relative_to(folder)) for path, page in site.items() if "<p>|" in page.text] == []


def test_the_gallery_has_a_page_for_each_base_task(folder: Path) -> None:
    pages = {path.stem for path in (folder / "gallery").glob("*.html")}
    assert pages == {"index", *BASES}
    assert len(BASES) == 20


def test_the_index_leads_to_a_picture_of_each_of_the_132(site: dict[Path, Page], folder: Path) -> None:
    index = site[folder / "gallery/index.html"]
    assert len(modcog.TASKS) == 132
    for task in modcog.TASKS:
        link = f"{modcog.parse(task).base}.html#{task}"
        assert index.links.count(link) == 1
        page = site[folder / "gallery" / link.partition("#")[0]]
        assert task in page.ids
        assert f"{task}.png" in page.loaded
        assert (folder / f"gallery/{task}.png").exists()
        assert (folder / f"gallery/small/{task}.png").exists()


@pytest.mark.parametrize("base", ["dlygo", "dm1", "multidm", "dmc"])
def test_a_task_page_has_its_periods_and_levels(base: str, site: dict[Path, Page], folder: Path) -> None:
    text = re.sub(r"<[^>]+>", " ", site[folder / f"gallery/{base}.html"].text)
    battery = modcog.Battery([base])
    for period in battery.tables.timings[0]:
        assert re.search(rf"\b{period}\s+\d", text)
    level = levels(battery)[base]
    assert f"{100 * level.decision_chance:.1f} %" in text
    assert f"{100 * level.decision_ceiling:.1f} %" in text


def test_the_command_reference_has_every_command_and_option(
    site: dict[Path, Page], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = site[folder / "commands.html"]
    sections = dict(zip(*[iter(re.split(r'<h2 id="([^"]+)">', page.text)[1:])] * 2, strict=True))
    for command in COMMANDS:
        assert main([command, "--help"]) == 0
        options = set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", capsys.readouterr().out, re.MULTILINE))
        assert options
        assert [option for option in options if option not in sections[command]] == []


def test_the_reference_has_every_module_and_every_public_name(site: dict[Path, Page], folder: Path) -> None:
    ids = {id for path, page in site.items() if "reference" in path.parts for id in page.ids}
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "modcog").rglob("[!_]*.py")]
    assert [name for name in names if not name.startswith("modcog.cli") and name not in ids] == []
    top = site[folder / "reference/modcog.html"].text
    assert [name for name in modcog.__all__ if f">{name}</code></a>" not in top and name != "__version__"] == []


def test_the_page_of_controls_has_each_with_its_figures(site: dict[Path, Page], folder: Path) -> None:
    text = re.sub(r"<[^>]+>", " ", site[folder / "controls.html"].text)
    for name in ("lm-rnn", "shuffled", "reciprocal", "small-world", "random", "dense"):
        assert re.search(rf"\n\s*{name}\s", text), name
    assert len(re.findall(r"\b5,376\b", text)) == 10  # all but the dense network have the synapses of the LM-RNN


def test_the_reference_says_each_name_and_type_once(site: dict[Path, Page], folder: Path) -> None:
    for path in (folder / "reference").glob("*.html"):
        text = site[path].text
        assert not re.search(r"<b><code>[^<]*,</code></b>", text), f"two names in one entry: {path.name}"
        returned = re.findall(r"Returns:</span></p>\s*<ul>\s*<li[^>]*>\s*<b>", text)
        assert not returned, f"a type as a name: {path.name}"
        code = unescape(re.sub(r"<[^>]+>", "", "\n".join(re.findall(r"<pre.*?</pre>", text, re.DOTALL))))
        assert [line for line in code.splitlines() if len(line) > WIDEST] == [], path.name


def test_options_are_not_broken(site: dict[Path, Page], folder: Path) -> None:
    assert '<code><span class="option">--jobs</span> N</code>' in site[folder / "scaling.html"].text


def test_settings_are_told_field_by_field(site: dict[Path, Page], folder: Path) -> None:
    for model in (BatteryConfig, ExportConfig, TrainConfig, Grid, EnvOptions, LocalityConfig, UserConfig):
        package = model.__module__.rpartition(".")[0]
        page = site[folder / f"reference/{package}.html"].text
        section = page.partition(f'id="{model.__module__}.{model.__name__}" class="doc doc-heading">')[2]
        text = unescape(re.sub(r"<[^>]+>", "", section.partition('class="doc doc-heading">')[0]))
        own = {name: field for name, field in model.model_fields.items() if name in model.__annotations__}
        told = [field.description for field in own.values() if field.description]
        assert [words for words in (*own, *told) if words.replace("`", "") not in text] == []
        assert model.__base__ is BaseModel or f"Also the fields of {model.__base__.__name__}" in text


def test_a_term_leads_to_the_glossary_where_a_page_first_uses_it(site: dict[Path, Page], folder: Path) -> None:
    for path, page in site.items():
        found = [link.partition("glossary.html")[2] for link in page.links if "glossary.html#" in link]
        assert len(found) == len(set(found)) or path.name == "glossary.html", path
        assert "glossary.md" not in page.text, f"a link was left as text: {path}"
    for name, anchors in {
        "index.html": {"#autapse", "#dms", "#ceiling", "#interval-task"},
        "training.html": {"#autapse", "#rule-input", "#held-out-trials"},
        "results/C2/index.html": {"#lm-rnn", "#autapse"},
        "notebooks/compare.html": {"#autapse", "#ceiling"},
    }.items():
        assert anchors <= {link.partition("glossary.html")[2] for link in site[folder / name].links}, name
    assert 'title="Locality-masked recurrent neural network: ' in site[folder / "tutorial.html"].text


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("An LM-RNN. LM-RNNs.", "An [LM-RNN](x). LM-RNNs."),
        ("Two modalities, the\nrule\ninput.", "Two [modalities](x), the\n[rule\ninput](x)."),
        ("`LM-RNN`, [an LM-RNN](y.md), <b>lm-rnn</b>", "`LM-RNN`, [an LM-RNN](y.md), <b>lm-rnn</b>"),
        ("# PPO\n```python\nPPO\n```\nSubPPO PPO", "# PPO\n```python\nPPO\n```\nSubPPO [PPO](x)"),
        ("Ceilings. chance", "[Ceilings](x). [chance](x)"),
        ("0 < r < 1: PPO\n\n```\nPPO -> LSTM\n```", "0 < r < 1: [PPO](x)\n\n```\nPPO -> LSTM\n```"),
        ("[0, 1) PPO\n\n```\nh[i](LSTM)\n```", "[0, 1) [PPO](x)\n\n```\nh[i](LSTM)\n```"),
    ],
)
def test_only_prose_is_linked_and_once(text: str, linked: str, pictures: ModuleType) -> None:
    found = import_module("glossary").linked(text, "a/page.md")
    assert re.sub(r"\(\.\./glossary\.md#[a-z-]+ \"[^\"]+\"\)", "(x)", found) == linked


def test_the_notebooks_are_pages_with_their_output(site: dict[Path, Page], folder: Path) -> None:
    paths = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert len(paths) >= 3
    for path in paths:
        page = site[folder / f"notebooks/{path.stem}.html"]
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
        pictures = [name for name in page.loaded if name.startswith(f"{path.stem}-")]
        assert len(pictures) == sum("image/png" in data for data in outputs) > 0
        assert path.name in page.links
        assert "%matplotlib" not in page.text
        assert "%pip" not in page.text


def test_a_picture_leads_to_itself(site: dict[Path, Page], folder: Path) -> None:
    for name, picture in (("results/C3/index.html", "figure.png"), ("contributing/flow.html", "flow.png")):
        assert picture in site[folder / name].links


def test_a_drawn_trial_shows_what_its_task_asks_for(pictures: ModuleType) -> None:
    for task in modcog.TASKS:
        spec, trial = modcog.parse(task), pictures.telling(task)
        row, labels = trial.rows[0], trial.packed_labels[trial.decision_start[0] :]
        interval = row.get("interval_ms", 0) // 100 if spec.interval else 0
        course = 1 + row["target"] + spec.interval * interval + spec.sequence * np.arange(len(labels))
        assert trial.tasks == (task,)
        assert row["respond"] == 1
        assert labels.tolist() == course.tolist()  # it never passes the end of the ring
        assert not spec.interval or interval >= 4


def test_pictures_are_pictures(pictures: ModuleType) -> None:
    trial = pictures.telling("dlygointr")
    drawn, small = (Image.open(BytesIO(draw(trial))) for draw in (pictures.drawn, pictures.small))
    assert drawn.size[0] > 400
    assert small.size[0] == 8 * trial.lengths[0]


def test_an_animation_has_every_step_of_its_trial_and_is_small(pictures: ModuleType) -> None:
    assert {*BASES, "dlygointr", "dmsseqr"} < set(pictures.MOVING) < set(modcog.TASKS)
    for task in ("go", "dmsintr", "multidlydmseqr"):
        trial = pictures.telling(task)
        content = pictures.moving(trial)
        moving, still = Image.open(BytesIO(content)), Image.open(BytesIO(pictures.still(trial)))
        assert moving.n_frames == trial.lengths[0]
        assert len(content) < 100_000
        moving.seek(moving.n_frames - 1)
        last, same = (np.asarray(one.convert("RGB"), int) for one in (moving, still))
        assert (last[0, 0] == 255).all()  # no grey box on a white page
        assert np.abs(last - [round(255 * part) for part in to_rgb(RESPONSE)]).sum(axis=2).min() < 6
        assert np.abs(last - same).mean() < 1


def test_every_page_of_a_task_shows_it_moving(pictures: ModuleType, site: dict[Path, Page], folder: Path) -> None:
    for task in pictures.MOVING:
        page = site[folder / f"gallery/{modcog.parse(task).base}.html"]
        assert f"moving/{task}.gif" in page.loaded
        assert f'<source srcset="moving/{task}.png" media="(prefers-reduced-motion: reduce)">' in page.text
        assert all((folder / f"gallery/moving/{task}.{kind}").exists() for kind in ("gif", "png"))


def test_small_pictures_have_direction_0_below(pictures: ModuleType) -> None:
    trial = pictures.telling("go")
    stripes, direction = pictures.stripes(trial), trial.rows[0]["target"]
    answer = stripes[-2 - 17 : -2]  # above the line of fixation; the ring has a border above it
    (row,) = {int(place) for place in np.flatnonzero(answer[1:, -1, 0] < 0.5)}
    assert row == 15 - direction
