"""Print the OpenAPI document: `python -m holdpoint.api.openapi > docs/openapi.json`."""

import json
import sys

from holdpoint.api.app import bare_app


def main() -> None:
    """Write the document to stdout, keys in the order of the code, so that a change reads as one."""
    sys.stdout.write(json.dumps(bare_app().openapi(), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
