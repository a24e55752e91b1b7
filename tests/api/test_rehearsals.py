"""A rehearsal is opened at a door of its own; what is no place for one is refused by its field."""

from typing import Any

import pytest

from tests.api.conftest import As
from tests.service.world import a_change

BODY = {"change": a_change(environment="production"), "base": "/srv/files", "target": "sandbox/stage"}
KEY = {"Idempotency-Key": "content:x"}


async def test_a_rehearsal_is_answered_with_its_ticket_and_joined_by_the_same(as_: As) -> None:
    made = await as_("ci").post("/v1/rehearsals", json=BODY, headers=KEY)
    again = await as_("ci").post("/v1/rehearsals", json=BODY, headers=KEY)

    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["id"] == again.json()["id"]
    assert made.headers["Location"] == f"/v1/changes/{made.json()['id']}"
    assert (made.json()["is_rehearsal"], made.json()["environment"]) == (True, "staging")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"target": "sandbox"}, "target"),
        ({"target": "sandbox/"}, "target"),
        ({"target": "sandbox/Stage!"}, "target"),
        ({"target": "sandbox/a/b"}, "target"),
        ({"target": 7}, "target"),
        ({"target": "sandbox/default"}, "target"),
        ({"target": "eu-9/stage"}, "target"),
        ({"environment": "production"}, "environment"),
        ({"environment": "Moon!"}, "environment"),
        ({"type": "normal"}, "type"),
    ],
    ids=lambda value: str(value),
)
async def test_what_is_no_place_to_rehearse_in_names_the_field(
    as_: As, changes: dict[str, Any], field: str
) -> None:
    answer = await as_("ci").post("/v1/rehearsals", json={**BODY, **changes}, headers=KEY)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_who_may_not_submit_may_not_rehearse(as_: As) -> None:
    answer = await as_("commander").post("/v1/rehearsals", json=BODY, headers=KEY)

    assert (answer.status_code, answer.json()["code"]) == (403, "access_denied")
