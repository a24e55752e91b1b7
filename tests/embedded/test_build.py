"""The set-up says which OPA there is, or why there is none."""

from pathlib import Path

import pytest

from holdpoint.embedded import build


def test_a_named_opa_that_is_none_is_an_error_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOLDPOINT_OPA", str(tmp_path / "absent"))

    code = build.main()

    assert code == 2
    assert "HOLDPOINT_OPA" in capsys.readouterr().err
