#!/usr/bin/python3
"""A response of your own, in Python: keeps a list of denied addresses for a web server.

Each address is a line "deny ADDRESS;" in a file that nginx includes. It comes with "add" and goes with
"delete". The file is written anew beside itself and put in place as a whole, so that nobody reads half
of it. Needs Python 3.6 or later and nothing besides.

SPDX-License-Identifier: Apache-2.0
"""

import fcntl
import ipaddress
import json
import os
import sys

LIST = os.environ.get("DENY_LIST", "/etc/nginx/denied-addresses.conf")


def main():
    message = read_message()
    command = message.get("command")
    address = read_address(message)
    if command == "add":
        if tell_keys([address]) != "continue":
            return  # It is held already: whoever holds it takes it back.
        change(lambda lines: lines | {line_of(address)})
    elif command == "delete":
        change(lambda lines: lines - {line_of(address)})
    else:
        sys.exit("unknown command: %r" % command)


def read_message():
    """One line of JSON. Never read to the end of the input: it stays open until you have answered."""
    line = sys.stdin.readline()
    if not line:
        sys.exit("nothing to read")
    return json.loads(line)


def read_address(message):
    """What an alert holds can come from an attacker: take nothing for an address that is none."""
    alert = message["parameters"]["alert"]
    return str(ipaddress.ip_address(alert["data"]["srcip"]))


def tell_keys(keys):
    """Says what this run is about, and returns what to do: "continue" or "abort"."""
    print(
        json.dumps(
            {
                "version": 1,
                "origin": {"name": os.path.basename(sys.argv[0]), "module": "active-response"},
                "command": "check_keys",
                "parameters": {"keys": keys},
            }
        ),
        flush=True,
    )
    return read_message().get("command")


def line_of(address):
    return "deny %s;\n" % address


def change(edit):
    with open(LIST + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            with open(LIST) as current:
                lines = set(current)
        except FileNotFoundError:
            lines = set()
        wanted = edit(lines)
        if wanted == lines:
            return
        with open(LIST + ".new", "w") as new:
            new.writelines(sorted(wanted))
            new.flush()
            os.fsync(new.fileno())
        os.replace(LIST + ".new", LIST)


if __name__ == "__main__":
    main()
