"""`python -m bench.judging.pictures`: draw what `bench.judging.curves` measured, for docs/judge.md."""

from math import log10
from pathlib import Path

from bench.judging.curves import FILE, Curves
from bench.judging.svg import Drawing

RULES = {
    "ours": ("Holdpoint, requests", "#0b6e4f"),
    "ranks": ("Holdpoint, values by ranks", "#4aa3df"),
    "fixed": ("fixed limit, 99.5 % a minute", "#c0392b"),
    "kayenta": ("Kayenta's rule", "#e08e0b"),
}
LEFT, TOP, WIDTH, HEIGHT = 60, 60, 640, 260
LEAST = 0.05
"""Percent: what is drawn for none at all, since a logarithm has no zero."""


def false_fails(curves: Curves) -> str:
    """Return the bars of false fails at 1,000 requests a second, on a logarithmic scale."""
    cells = curves.false_fails
    picture = Drawing(LEFT + WIDTH + 20, TOP + HEIGHT + 60, "Good canaries that are failed, in percent")
    picture.word((LEFT, 20), "Good canaries that are failed, in percent, at 1,000 requests a second")
    _legend(picture)
    for percent in (0.1, 1, 10, 100):
        _grid(picture, _log(percent), f"{percent:g}")
    step = WIDTH / len(cells)
    for number, cell in enumerate(cells):
        left = LEFT + number * step
        picture.word((left + step / 2, TOP + HEIGHT + 18), str(cell["kind"]), anchor="middle")
        for place, (rule, (_, colour)) in enumerate(RULES.items()):
            top = _log(max(float(cell[rule]), LEAST))
            at = left + step * (0.14 + 0.18 * place)
            picture.bar((at, top), (step * 0.16, TOP + HEIGHT - top), colour)
    return picture.text()


def power(curves: Curves) -> str:
    """Return the curve of how many bad canaries are found within ten minutes, at 1,000 requests a second."""
    picture = Drawing(LEFT + WIDTH + 20, TOP + HEIGHT + 60, "Bad canaries that are found, in percent")
    picture.word((LEFT, 20), "Bad canaries found within ten minutes, in percent, at 1,000 requests a second")
    _legend(picture)
    for percent in (0, 25, 50, 75, 100):
        _grid(picture, _flat(percent), f"{percent}")
    ratios = [float(point["ratio"]) for point in curves.power]
    for ratio in ratios:
        picture.word((_across(ratio, ratios), TOP + HEIGHT + 18), f"{ratio:g}", anchor="middle")
    picture.word((LEFT + WIDTH / 2, TOP + HEIGHT + 38), "times as many errors as stable", anchor="middle")
    for rule, (_, colour) in RULES.items():
        points = [(_across(float(one["ratio"]), ratios), _flat(float(one[rule]))) for one in curves.power]
        picture.line(points, colour)
        for point in points:
            picture.dot(point, colour)
    return picture.text()


def _legend(picture: Drawing) -> None:
    for number, (name, colour) in enumerate(RULES.values()):
        left = LEFT + number * 178
        picture.bar((left, 31), (10, 10), colour)
        picture.word((left + 15, 40), name)


def _grid(picture: Drawing, height: float, text: str) -> None:
    picture.line([(LEFT, height), (LEFT + WIDTH, height)], "#ddd", width=1)
    picture.word((LEFT - 8, height + 4), text, anchor="end")


def _log(percent: float) -> float:
    share = (log10(percent) - log10(LEAST)) / (2 - log10(LEAST))
    return TOP + HEIGHT * (1 - share)


def _flat(percent: float) -> float:
    return TOP + HEIGHT * (1 - percent / 100)


def _across(ratio: float, ratios: list[float]) -> float:
    return LEFT + 20 + (WIDTH - 40) * (ratio - ratios[0]) / (ratios[-1] - ratios[0])


PICTURES = {"judge-false-fails.svg": false_fails, "judge-power.svg": power}


def draw(file: Path, folder: Path) -> list[Path]:
    """Draw every picture of a file of curves, and return them."""
    curves, drawn = Curves.read(file), []
    for name, picture in PICTURES.items():
        (folder / name).write_text(picture(curves))
        drawn.append(folder / name)
    return drawn


if __name__ == "__main__":
    draw(FILE, FILE.parent)
