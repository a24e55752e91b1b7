"""Write the second part of docs/command-line.md from the command; a test holds the two together."""

from pathlib import Path

from holdpoint.cli.reference import BEGIN, command_reference

if __name__ == "__main__":
    page = Path(__file__).with_name("command-line.md")
    written = page.read_text(encoding="utf-8").partition(BEGIN)[0]
    page.write_text(written + command_reference(), encoding="utf-8")
