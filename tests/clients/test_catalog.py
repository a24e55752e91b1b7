"""The catalog is read again when it changes, and a broken one is never an empty one."""

from pathlib import Path

import pytest

from holdpoint.clients.catalog import Catalog, NullCatalog
from holdpoint.models.artifact import Requirement
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.policy import Window

EXAMPLE = Path(__file__).parents[2] / "holdpoint" / "embedded" / "catalog.yaml"


def catalog(tmp_path: Path, text: str) -> Catalog:
    (tmp_path / "catalog.yaml").write_text(text)
    return Catalog(tmp_path / "catalog.yaml")


def test_shipped_example_is_valid() -> None:
    facts = Catalog(EXAMPLE).facts("checkout")

    assert facts.known
    assert (facts.owner, facts.backup_owner) == ("team-payments", "team-shop")
    assert facts.windows[0].days == ["tue", "wed", "thu"]


def test_a_date_that_is_none_is_a_mistake_of_the_catalog(tmp_path: Path) -> None:
    with pytest.raises(UpstreamUnavailable, match=r"catalog\.yaml: month must be"):
        catalog(tmp_path, "services: {shop: {owner: 2027-13-45}}").facts("shop")


def test_service_without_windows_has_those_of_the_file() -> None:
    assert Catalog(EXAMPLE).facts("podinfo").windows == [Window()]


def test_service_that_is_not_listed_is_unknown(tmp_path: Path) -> None:
    facts = catalog(tmp_path, "services: {shop: {owner: a}}").facts("till")

    assert not facts.known
    assert facts.tier == "unknown"
    assert facts.windows == []


def test_what_is_not_stated_is_unknown(tmp_path: Path) -> None:
    facts = catalog(tmp_path, "services: {shop: {}}").facts("shop")

    assert facts.known
    assert facts.owner is None
    assert facts.tier == "unknown"


def test_change_of_the_file_is_seen(tmp_path: Path) -> None:
    reader = catalog(tmp_path, "services: {shop: {owner: a}}")
    assert reader.facts("shop").owner == "a"

    (tmp_path / "catalog.yaml").write_text("services: {shop: {owner: bb}}")

    assert reader.facts("shop").owner == "bb"


def test_unquoted_time_is_read_as_a_time(tmp_path: Path) -> None:
    text = "services: {shop: {windows: [{start: 10:00, end: 17:30}]}}"

    assert catalog(tmp_path, text).facts("shop").windows == [Window(start="10:00", end="17:30")]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("services: [", "catalog.yaml", id="not YAML"),
        pytest.param("services: {shop: {ownr: a}}", "services.shop.ownr", id="unknown field"),
        pytest.param("windows: [{zone: Mars}]", "Mars", id="unknown zone"),
        pytest.param("- a", "catalog.yaml", id="not a mapping"),
        pytest.param("services: {shop: {tier: high}}", "services.shop.tier", id="tier in words"),
    ],
)
def test_broken_file_makes_callers_wait_and_names_the_mistake(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(UpstreamUnavailable) as caught:
        catalog(tmp_path, text).facts("shop")

    assert named in caught.value.message


def test_file_that_broke_later_is_not_answered_from_memory(tmp_path: Path) -> None:
    reader = catalog(tmp_path, "services: {shop: {owner: a}}")
    reader.facts("shop")

    (tmp_path / "catalog.yaml").write_text("services: {shop: {owner")

    with pytest.raises(UpstreamUnavailable):
        reader.facts("shop")


def test_missing_file_makes_callers_wait(tmp_path: Path) -> None:
    with pytest.raises(UpstreamUnavailable):
        Catalog(tmp_path / "catalog.yaml").facts("shop")


def test_null_knows_no_service() -> None:
    assert not NullCatalog().facts("shop").known


def test_checks_of_a_service_are_read_and_a_mistake_in_one_is_named(tmp_path: Path) -> None:
    text = "services: {shop: {prechecks: [{name: a, query: {promql: up, %s}}]}}"

    [check] = catalog(tmp_path, text % "min: 1").facts("shop").prechecks

    assert (check.name, check.kind) == ("a", "query")
    with pytest.raises(UpstreamUnavailable, match=r"services\.shop\.prechecks\.0\.query: .*max, min or both"):
        catalog(tmp_path, text % "").facts("shop")


LADDER = """
requires: {production: {environment: staging, soak: 30m}}
services:
  shop: {owner: a}
  till: {owner: a, requires: {production: {environment: staging}}}
  cart: {owner: a, requires: {}}
"""


@pytest.mark.parametrize(
    ("service", "soak"), [("shop", 1800.0), ("till", 0.0), ("cart", None), ("unknown", 1800.0)]
)
def test_what_is_required_is_the_files_unless_a_service_states_its_own(
    tmp_path: Path, service: str, soak: float | None
) -> None:
    requires = catalog(tmp_path, LADDER).facts(service).requires

    expected = {} if soak is None else {"production": Requirement(environment="staging", soak=soak)}
    assert requires == expected


def test_nothing_is_required_where_nothing_is_stated() -> None:
    assert Catalog(EXAMPLE).facts("shop").requires == {}


@pytest.mark.parametrize(
    ("requires", "said"),
    [
        ("{production: {environment: production}}", "nothing could ever go to production"),
        (
            "{production: {environment: staging}, staging: {environment: production}}",
            "it requires staging, which requires production",
        ),
        ("{production: {environment: staging, soak: 30}}", "requires.production.soak"),
        ("{production: {environment: staging, soak: soon}}", "must be a duration"),
        ("{production: {soak: 30m}}", "requires.production.environment"),
        ("{production: staging}", "requires.production"),
    ],
    ids=["itself", "a circle", "no unit", "no duration", "no environment", "no mapping"],
)
def test_a_requirement_that_cannot_be_is_a_mistake_of_the_catalog(
    tmp_path: Path, requires: str, said: str
) -> None:
    with pytest.raises(UpstreamUnavailable, match=said):
        catalog(tmp_path, f"requires: {requires}").facts("shop")


def test_a_rehearsal_is_asked_for_where_the_service_says_so(tmp_path: Path) -> None:
    text = "services: {shop: {requiresRehearsal: {youngerThan: 7d}}, till: {}}"
    reader = catalog(tmp_path, text)

    asked = reader.facts("shop").requires_rehearsal
    assert asked is not None
    assert asked.younger_than == 7 * 86400
    assert reader.facts("till").requires_rehearsal is None


@pytest.mark.parametrize("age", ["soon", "-1d", "{}"])
def test_an_age_that_is_none_is_a_mistake_of_the_catalog(tmp_path: Path, age: str) -> None:
    text = f"services: {{shop: {{requiresRehearsal: {{youngerThan: {age}}}}}}}"

    with pytest.raises(UpstreamUnavailable, match=r"services\.shop\.requiresRehearsal\.youngerThan"):
        catalog(tmp_path, text).facts("shop")
