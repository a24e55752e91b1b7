"""Prometheus, scraping the workload each second; the series are named and labelled as the sandbox's."""

from pathlib import Path

from holdpoint.embedded.server import Server, http_ready
from tools.stack import kubernetes
from tools.stack.parts import binary
from tools.stack.place import Piece, Place, write_json
from tools.stack.web import python_server

PORTS = ("workload", "prometheus")
READY = "/-/ready"


def prometheus(place: Place) -> Piece:
    """Return Prometheus and the workload that it scrapes."""
    config = write_json(place.path("prometheus", "prometheus.yml"), _config(place))
    command = [str(binary("prometheus")), *options(place, config)]
    workload = python_server(
        "tools.stack.workload",
        place,
        "workload",
        str(kubernetes.kubeconfig(place, "workload")),
        str(place.path("prometheus", "behaviours.json")),
    )
    return Piece(
        [
            Server("workload", workload, http_ready(f"{place.url('workload')}/ready"), after=("kwok",)),
            Server("prometheus", command, http_ready(place.url("prometheus") + READY)),
        ],
        {"prometheus": {"url": place.url("prometheus")}, "workload": {"url": place.url("workload")}},
    )


def options(place: Place, config: Path) -> list[str]:
    """Return the options of the server."""
    return [
        f"--config.file={config}",
        f"--storage.tsdb.path={place.path('prometheus', 'data')}",
        f"--web.listen-address=127.0.0.1:{place.ports['prometheus']}",
        "--log.level=warn",
    ]


def _config(place: Place) -> dict[str, object]:
    target = f"127.0.0.1:{place.ports['workload']}"
    # The pods' series carry the pods' labels; the job and the address of the workload are not theirs.
    ours = {"source_labels": ["__name__"], "regex": "http_.*", "target_label": "job", "replacement": ""}
    pods = {"source_labels": ["pod"], "regex": ".+", "target_label": "instance", "replacement": ""}
    scrape = {
        "job_name": "workload",
        "honor_labels": True,
        "static_configs": [{"targets": [target]}],
        "metric_relabel_configs": [ours, pods],
    }
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [scrape],
    }
