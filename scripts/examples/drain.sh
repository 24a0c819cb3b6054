#!/bin/sh
# A response of your own, in shell: takes this machine out of its load balancer.
#
# The load balancer's health check looks for a file: as long as it is there, no new visitors are sent
# here. It comes with "add" and goes with "delete". Needs jq.
#
# SPDX-License-Identifier: Apache-2.0

set -eu

flag=${DRAIN_FLAG:-/run/drain}

# One line of JSON each time. Do not use cat: the input stays open until you have answered.
read -r message
command=$(printf '%s' "$message" | jq -r .command)

case $command in
add)
  # The whole machine is meant, so all runs have the same key.
  name=$(basename "$0")
  jq -cn --arg name "$name" '{version: 1, origin: {name: $name, module: "active-response"},
    command: "check_keys", parameters: {keys: ["machine"]}}'
  read -r answer
  case $(printf '%s' "$answer" | jq -r .command) in
  continue) ;;
  *) exit 0 ;; # It is drained already: whoever did that ends it.
  esac
  printf '%s' "$message" | jq -r .parameters.alert.rule.description >"$flag"
  ;;
delete)
  rm -f "$flag"
  ;;
*)
  echo "unknown command: $command" >&2
  exit 2
  ;;
esac
