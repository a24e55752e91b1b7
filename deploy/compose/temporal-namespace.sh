#!/bin/sh
# Make our namespace in the Temporal server at TEMPORAL_ADDRESS, and the search attributes that tickets are found
# by. It is no error when they are there. Ends when the server knows them: it looks by a clock of its own.
set -eu

until_known() {
  left=120
  until "$@" >/dev/null; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || exit 1
    sleep 1
  done
}

temporal operator namespace describe --namespace holdpoint >/dev/null 2>&1 ||
  temporal operator namespace create --namespace holdpoint --retention 90d
until_known temporal operator search-attribute create --namespace holdpoint \
  --name HoldpointService --type Keyword \
  --name HoldpointEnvironment --type Keyword \
  --name HoldpointPhase --type Keyword
until_known temporal workflow count --namespace holdpoint --query "HoldpointService = 'none'"
