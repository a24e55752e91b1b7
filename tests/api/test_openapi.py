"""The committed OpenAPI document is the app's, and says of every route that errors are problems."""

import json
from pathlib import Path

from holdpoint.api.app import bare_app

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_committed_document_is_the_apps() -> None:
    document = bare_app().openapi()

    assert json.loads(COMMITTED.read_text()) == json.loads(json.dumps(document)), (
        "docs/openapi.json is not what the app says; write it again: "
        "python -m holdpoint.api.openapi > docs/openapi.json"
    )


def test_every_operation_is_described_and_answers_with_problems() -> None:
    for path, operations in bare_app().openapi()["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], f"{method} {path}"
            for status in ("401", "404", "413", "422", "500", "503"):
                assert "application/problem+json" in operation["responses"][status]["content"]


def test_all_paths_are_under_v1_but_those_that_temporal_names() -> None:
    assert all(path.startswith(("/v1/", "/codec/")) for path in bare_app().openapi()["paths"])
