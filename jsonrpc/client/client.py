"""Calls MathService over JSON-RPC from Python (tutorial §4.4)."""

import argparse
import json
import os
import re
import signal
import socket
import sys
import threading

HINT = "; is that the address of jsonrpc/server? -addr sets another"

parser = argparse.ArgumentParser(prog="client.py", description=__doc__, allow_abbrev=False)
parser.add_argument("-addr", default="localhost:1236", help="address of the server")
parser.add_argument("-a", type=int, default=10, help="first operand")
parser.add_argument("-b", type=int, default=20, help="second operand")
parser.add_argument("-timeout", default="5s", help="give up after this time: 500ms, 5s, 1m, 1h")
flags = parser.parse_args()
address = re.fullmatch(r"(\[.+\]|[^:]*):([0-9]{1,5})", flags.addr)
if not address or int(address[2]) > 65535:
    parser.error(f"-addr {flags.addr}: want host:port, such as localhost:1236")
duration = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", flags.timeout)
if not duration:
    parser.error(f"-timeout {flags.timeout} is not a time such as 500ms, 5s, 1m or 1h")
seconds = float(duration[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[duration[2]]


def fail(message):
    line = "".join(c if c.isprintable() else " " for c in message)  # a peer's text too
    print("client.py:", line, file=sys.stderr, flush=True)
    os._exit(1)  # also from the timer's thread


def call(method):
    # The dialect of net/rpc/jsonrpc: version 1.0, params an array of one object.
    request = {"method": method, "params": [{"A": flags.a, "B": flags.b}], "id": 1}
    connection.sendall(json.dumps(request).encode())
    answer = receive()
    if isinstance(answer["error"], str):
        fail(f"{method}({flags.a}, {flags.b}): {answer['error']}")
    if answer["id"] != 1 or answer["error"] is not None:
        raise ValueError(answer)
    return answer["result"]


def receive():
    # A JSON value ends itself. Another server need not end a line after it.
    global received
    while True:
        try:
            text = received.decode().lstrip()
            value, end = json.JSONDecoder().raw_decode(text)
            received = text[end:].encode()
            return value
        except ValueError:  # it has not come to its end, or never will
            if received.lstrip()[:1] not in (b"", b"{") or len(received) > 4096:
                raise
        received += connection.recv(4096) or fail(f"the connection was closed without an answer{HINT}")


def integer(value):
    if type(value) is not int:
        raise ValueError(f"{value!r} is not an integer")
    return value


# One timer bounds everything: the name look-up, the connection and both calls.
no_answer = f"no answer from {flags.addr} within {flags.timeout}{HINT}"
timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), fail, [no_answer])
timer.daemon = True
timer.start()
signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
try:
    connection, received = socket.create_connection((address[1].strip("[]") or "localhost", address[2])), b""
    product = integer(call("MathService.Multiply"))
    print(f"MathService.Multiply({flags.a}, {flags.b}) = {product}", flush=True)
    quotient = call("MathService.Divide")
    quo, rem = integer(quotient["Quo"]), integer(quotient["Rem"])
    print(f"MathService.Divide({flags.a}, {flags.b}) = {quo} remainder {rem}", flush=True)
except ConnectionRefusedError as error:
    fail(f"{error}; start it with: go run ./jsonrpc/server -addr {flags.addr}")
except (OSError, UnicodeError) as error:
    fail(f"{error}{HINT}")
except (ValueError, TypeError, LookupError, RecursionError) as error:
    fail(f"not an answer of MathService: {error!r}{HINT}")
