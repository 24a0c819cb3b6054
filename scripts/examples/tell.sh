#!/bin/sh
# A response of your own, in shell: writes a line to the system log. It is done once, and nothing takes
# it back, so it needs no keys. Needs jq.
#
# SPDX-License-Identifier: Apache-2.0

set -eu

read -r message
text=$(printf '%s' "$message" | jq -r '.parameters.alert | "rule \(.rule.id): \(.rule.description)"')
# "--": what an alert holds must not be taken for an option.
logger -t "$(basename "$0")" -- "$text"
