"""The reference page and the JSON Schema say what the reader does."""

from pathlib import Path

from holdpoint.service.change_file import read_change
from holdpoint.service.change_reference import EXAMPLE, change_reference, change_schema

PAGE = Path(__file__).parents[2] / "docs" / "change-file.md"


def test_the_committed_page_is_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == change_reference(), "run docs/generate_change_reference.py"


def test_the_page_names_every_field() -> None:
    page = change_reference()

    for node in change_schema()["$defs"].values():
        for name in node["properties"]:
            assert f"| `{name}` |" in page


def test_defaults_stand_in_the_schema_as_people_write_them() -> None:
    canary = change_schema()["$defs"]["CanaryConfig"]["properties"]

    assert canary["bake"]["default"] == "1m"
    assert read_change(EXAMPLE.replace("bake: 5s", "bake: 1m")) == read_change(
        EXAMPLE.replace(", bake: 5s", "")
    )


def test_no_field_is_open_to_unknown_ones() -> None:
    schema = change_schema()

    assert all(one["additionalProperties"] is False for one in [schema, *schema["$defs"].values()])
