"""A context of a kubeconfig as one identity, over the official client's loader (plugins included).

Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/. The file is read again when it
changes, and a token that came from a plugin or from a token file is asked for again in time.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.kube_config import load_kube_config

from holdpoint.clients.access import Connection, Stamp, Transport, stamp
from holdpoint.models.errors import SettingsError, UpstreamUnavailable

FRESH = 60.0
"""Seconds until a plugin or a token file is asked again. Tokens live for minutes at least, and a plugin is a
process: it is not run for each request."""

LOAD_LIMIT = 10.0
"""Seconds for a plugin to give a token: it asks somebody over the network, and a freeze waits for it."""


class KubeconfigAccess:
    """One context of one file."""

    def __init__(self, name: str, identity: str, file: Path, context: str) -> None:
        self._name, self._identity, self._file, self._context = name, identity, file, context
        self._seen: Stamp | None = None
        self._loaded = 0.0
        self._connection: Connection | None = None
        _check(name, identity, file, context)

    async def now(self) -> Connection:
        """Return the connection as the context says now."""
        try:
            seen = stamp(self._file)
            stale = self._seen != seen or time.monotonic() - self._loaded > FRESH
            if self._connection is None or stale:
                async with asyncio.timeout(LOAD_LIMIT):
                    self._connection = await self._load()
                self._seen, self._loaded = seen, time.monotonic()
        except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError, ConfigException) as error:
            # The cause may quote the file, so it is not repeated.
            raise UpstreamUnavailable(
                f"Context {self._context} of {self._file.name} cannot be used for cluster {self._name}: "
                f"{type(error).__name__}."
            ) from None
        return self._connection

    async def _load(self) -> Connection:
        config = Configuration()
        await load_kube_config(  # type: ignore[no-untyped-call]  # the client has no types
            str(self._file), self._context, client_configuration=config, persist_config=False
        )
        files = (config.ssl_ca_cert, config.cert_file, config.key_file)
        authorization = config.api_key.get("BearerToken")
        if not authorization and not config.cert_file:
            raise UpstreamUnavailable(
                f"Context {self._context} of {self._file.name} gives no credentials for cluster {self._name}."
            )
        transport = Transport(
            host=str(config.host).rstrip("/"),
            ca_file=config.ssl_ca_cert,
            cert_file=config.cert_file,
            key_file=config.key_file,
            server_name=config.tls_server_name,
            proxy=config.proxy,
            stamps=tuple(stamp(file) if file else None for file in files),
        )
        return Connection(transport, authorization)


def _check(name: str, identity: str, file: Path, context: str) -> None:
    """Find at startup what can never work. Raises SettingsError, naming the field."""
    try:
        found: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        contexts = {str(item["name"]): item["context"] for item in found["contexts"]}
        clusters = {str(item["name"]): item["cluster"] for item in found["clusters"]}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise SettingsError(
            f"clusters.{name}.kubeconfig: {file} is not a readable kubeconfig ({type(error).__name__})."
        ) from None
    if context not in contexts:
        known = ", ".join(sorted(contexts)) or "none"
        raise SettingsError(
            f"clusters.{name}.{identity}_context: {file} has no context {context!r}; it has: {known}."
        )
    cluster = clusters.get(str(contexts[context].get("cluster")))
    if cluster is None:
        raise SettingsError(f"clusters.{name}.{identity}_context: {context!r} names no cluster of {file}.")
    if cluster.get("insecure-skip-tls-verify"):
        raise SettingsError(
            f"clusters.{name}.{identity}_context: {context!r} has insecure-skip-tls-verify. A token must not "
            "go to a server that nobody checked: state certificate-authority."
        )
