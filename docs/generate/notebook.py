"""Pages of the notebooks with their stored output; nothing is run."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

_LINK = re.compile(r"\]\(\.\./docs/")
_MAGIC = re.compile(r"^%.*\n", re.MULTILINE)


def pages() -> dict[str, str | bytes]:
    """Return the page, the pictures and the file of each notebook by path."""
    found: dict[str, str | bytes] = {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        found[f"notebooks/{path.name}"] = text
        found |= _page(path.stem, json.loads(text)["cells"])
    return found


def _page(name: str, cells: list[dict[str, Any]]) -> dict[str, str | bytes]:
    """Return the page of one notebook and its pictures."""
    parts, pictures = [], {}
    for cell in cells:
        if "colab" in cell["metadata"].get("tags", ()):  # it installs what readers of the page do not need
            continue
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(_LINK.sub("](../", source))
            continue
        parts.append(_block("python", _MAGIC.sub("", source)))
        for output in cell["outputs"]:
            data = output.get("data", {"text/plain": output.get("text", "")})
            if "image/png" in data:
                picture = f"{name}-{len(pictures)}.png"
                pictures[f"notebooks/{picture}"] = base64.b64decode(data["image/png"])
                parts.append(f"![Output of the code above]({picture})")
            else:
                parts.append(_block("text", "".join(data["text/plain"])))
    title, *rest = "\n\n".join(parts).split("\n", 1)
    note = f"This page is the notebook [{name}.ipynb]({name}.ipynb) with its output."
    return {f"notebooks/{name}.md": "\n".join([title, "", note, *rest]), **pictures}


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text.strip()}\n```"
