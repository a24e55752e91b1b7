"""As much of SVG as a chart needs: lines, bars, dots and words, with every word escaped."""

from html import escape

FONT = "font-family='system-ui, sans-serif' font-size='12'"


class Drawing:
    """A picture of so many pixels, on a white ground so that it can be read on any page."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._parts = [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' role='img' {FONT}>",
            f"<title>{escape(title)}</title>",
            f"<rect width='{width}' height='{height}' fill='white'/>",
        ]

    def line(self, points: list[tuple[float, float]], colour: str, *, width: float = 2.0) -> None:
        """Draw a line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(
            f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='{width}'/>"
        )

    def dot(self, at: tuple[float, float], colour: str) -> None:
        """Draw a dot."""
        self._parts.append(f"<circle cx='{at[0]:.1f}' cy='{at[1]:.1f}' r='3.5' fill='{colour}'/>")

    def bar(self, at: tuple[float, float], size: tuple[float, float], colour: str) -> None:
        """Draw a rectangle from its upper left corner."""
        self._parts.append(
            f"<rect x='{at[0]:.1f}' y='{at[1]:.1f}' width='{size[0]:.1f}' height='{size[1]:.1f}' "
            f"fill='{colour}'/>"
        )

    def word(self, at: tuple[float, float], text: str, *, anchor: str = "start") -> None:
        """Write a text that begins, ends or has its middle at a point."""
        self._parts.append(
            f"<text x='{at[0]:.1f}' y='{at[1]:.1f}' text-anchor='{anchor}' fill='#222'>{escape(text)}</text>"
        )

    def text(self) -> str:
        """Return the file."""
        return "\n".join([*self._parts, "</svg>"]) + "\n"
