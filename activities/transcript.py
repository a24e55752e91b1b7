"""What was asked of a Prometheus over ranges, and what it answered: evidence, each series told once."""

from typing import Any

from holdpoint.clients.metrics import RangeQuery, Series

Labels = tuple[tuple[str, str], ...]


class Transcript:
    """Queries that are asked again for later and later moments, with all their answers."""

    def __init__(self) -> None:
        self._asked: dict[str, list[RangeQuery]] = {}
        self._answered: dict[str, dict[Labels, list[tuple[float, float]]]] = {}

    def add(self, query: RangeQuery, answer: list[Series]) -> None:
        """Take in a query with its answer."""
        self._asked.setdefault(query.text, []).append(query)
        answered = self._answered.setdefault(query.text, {})
        for series in answer:
            answered.setdefault(tuple(sorted(series.labels.items())), []).extend(series.points)

    def document(self) -> list[dict[str, Any]]:
        """Return everything as evidence; values as text, since JSON has no NaN."""
        return [
            {
                "query": text,
                "ranges": [[q.start.isoformat(), q.end.isoformat(), q.step] for q in self._asked[text]],
                "answer": [
                    {"labels": dict(labels), "points": [[moment, repr(value)] for moment, value in points]}
                    for labels, points in answered.items()
                ],
            }
            for text, answered in self._answered.items()
        ]
