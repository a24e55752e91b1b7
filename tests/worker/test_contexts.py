"""The worker's sandbox gives no context of a payload: none of our converters may need one."""

import base64
import os
from pathlib import Path

import pytest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, WorkflowSerializationContext

from holdpoint.clients.payloads import data_converter


@pytest.fixture(params=["plain", "encrypting"])
def converter(request: pytest.FixtureRequest, tmp_path: Path) -> DataConverter:
    if request.param == "plain":
        return pydantic_data_converter
    (tmp_path / "one.key").write_text(base64.b64encode(os.urandom(32)).decode())
    return data_converter(tmp_path, "one")


def test_no_part_of_the_converter_looks_at_a_context(converter: DataConverter) -> None:
    context = WorkflowSerializationContext(namespace="holdpoint", workflow_id="chg-1")

    assert converter.with_context(context) is converter
