#!/usr/bin/env python3
"""Calls MathService over JSON-RPC from Python (tutorial §4.4)."""

import argparse
import json
import os
import re
import socket
import sys
import threading


failing = threading.Lock()


def fail(message):
    # The timer's thread comes here as well: os._exit ends both, and the lock keeps
    # the second from having its say.
    failing.acquire()
    sys.stdout.flush()
    print(f"client.py: {message}", file=sys.stderr, flush=True)
    os._exit(1)


def needs_server(message):
    fail(f"{message}; the server it needs: go run ./jsonrpc/server -addr {flags.addr}")


def duration(text):
    """Return a Go duration such as 500ms, 5s or 1m30s as it is and in seconds."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    if not re.fullmatch(r"([0-9.]+(ms|s|m|h))+", text):
        raise ValueError
    return text, sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+)(ms|[smh])", text))


def call(method):
    """Send one request, wait for its response and return the result."""
    name = f"{method}({flags.a}, {flags.b})"
    # The dialect of net/rpc/jsonrpc: version 1.0, params an array of one object.
    request = {"method": method, "params": [{"A": flags.a, "B": flags.b}], "id": 1}
    connection.write(json.dumps(request).encode() + b"\n")
    connection.flush()
    line = connection.readline(1 << 20)
    if not line:
        needs_server(f"{name}: the connection was closed without an answer")
    response = json.loads(line)
    if response["id"] != 1:
        raise ValueError(line)
    if response["error"] is not None:
        fail(f"{name}: {response['error']}")
    return response["result"]


def integer(value):
    if type(value) is not int:
        raise ValueError(f"{value!r} is not an integer")
    return value


parser = argparse.ArgumentParser(prog="client.py", description=__doc__, allow_abbrev=False)
parser.add_argument("-addr", default="localhost:1236", help="address of the server")
parser.add_argument("-a", type=int, default=10, help="first operand")
parser.add_argument("-b", type=int, default=20, help="second operand")
parser.add_argument("-timeout", type=duration, default="5s", help="give up after this time")
flags = parser.parse_args()

# One timer bounds everything: the name look-up, the connection and both calls.
text, seconds = flags.timeout
timer = threading.Timer(
    min(seconds, threading.TIMEOUT_MAX), lambda: needs_server(f"no answer from {flags.addr} within {text}"))
timer.daemon = True
timer.start()

try:
    host, _, port = flags.addr.rpartition(":")
    if port.isdigit() and int(port) > 65535:
        raise OSError(f"there is no port {port}")
    connection = socket.create_connection((host.strip("[]"), port)).makefile("rwb")
    product = call("MathService.Multiply")
    print(f"MathService.Multiply({flags.a}, {flags.b}) = {integer(product)}", flush=True)
    quotient = call("MathService.Divide")
    print(f"MathService.Divide({flags.a}, {flags.b}) = {integer(quotient['Quo'])} remainder {integer(quotient['Rem'])}")
except OSError as error:
    needs_server(error)
except (ValueError, TypeError, LookupError, RecursionError) as error:
    needs_server(f"not an answer of MathService: {error}")
