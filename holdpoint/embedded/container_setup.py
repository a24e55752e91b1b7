"""`python -m holdpoint.embedded.container_setup`: what a fresh volume needs before api and workers start.

For docker-compose.yml and for whoever has no secret store: the key of the blobs, an example catalog, and the
packaged policies as a bundle with the token that OPA asks for. What is there already stays as it is.
"""

import argparse
import os
import secrets
from pathlib import Path

from holdpoint.embedded.folder import open_folder
from holdpoint.embedded.opa import find_from
from holdpoint.embedded.policy_bundle import Bundle, packaged_policies
from holdpoint.ledger.files import write_new

BLOB_KEY_BYTES = 32


def set_up(*, data: Path, policies: Path, opa: Path) -> None:
    """Make what is missing in the data folder, and the bundle in the folder that OPA serves from."""
    folder = open_folder(data)
    write_new(folder.keys / "blob.key", secrets.token_bytes(BLOB_KEY_BYTES))
    write_new(folder.catalog, Path(__file__).with_name("catalog.yaml").read_bytes())
    policies.mkdir(parents=True, exist_ok=True)
    Bundle(opa=opa, policies=packaged_policies(), folder=policies).refresh()


def main() -> None:
    """Set up the two folders that are named."""
    parser = argparse.ArgumentParser(prog="python -m holdpoint.embedded.container_setup")
    parser.add_argument("--data", type=Path, required=True, help="the data folder of api and workers")
    parser.add_argument("--policies", type=Path, required=True, help="the folder that OPA serves from")
    asked = parser.parse_args()
    set_up(data=asked.data, policies=asked.policies, opa=find_from(os.environ, print))


if __name__ == "__main__":
    main()
