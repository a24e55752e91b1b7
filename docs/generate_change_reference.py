"""Write docs/change-file.md from the models; a test holds the two together."""

from pathlib import Path

from holdpoint.service.change_reference import change_reference

if __name__ == "__main__":
    Path(__file__).with_name("change-file.md").write_text(change_reference(), encoding="utf-8")
