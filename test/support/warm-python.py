"""Runs programs of the engine in forks of one process that has loaded the libraries, which takes 6 s of CPU time in each new Python.

    python warm-python.py serve SOCKET               listens, and ends when its stdin is closed
    python -I -S warm-python.py SOCKET PROGRAM ...   does what `python PROGRAM ...` does: same files, environment, signals, exit status

Each program has a process between it and the one with the libraries. It passes signals on, and kills the program when the client is gone.
"""

import json
import os
import select
import signal
import socket
import sys

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def serve(path: str) -> None:
    engine = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "engine")
    sys.path[:0] = [os.path.normpath(engine), os.path.join(os.path.normpath(engine), "tests")]
    import forked_libraries  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in readable and os.read(0, 1) == b"":
            return
        if listener in readable:
            client, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                attend(client)
            client.close()


def attend(client: socket.socket) -> None:
    """In a fork: starts the program, and stays between it and the client until one of them has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked, files, _, _ = socket.recv_fds(client, 2**20, 3)
    while not asked.endswith(b"\n"):
        asked += client.recv(2**20)
    program = os.fork()
    if program == 0:
        client.close()
        run(json.loads(asked), files)
    for file in (0, 1, 2):
        os.close(file)
    for file in files:
        os.close(file)
    end = os.pidfd_open(program)
    while True:
        readable, _, _ = select.select([end, client], [], [])
        if end in readable:
            _, status = os.waitpid(program, 0)
            client.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os._exit(0)
        numbers = client.recv(64)
        for number in numbers or [signal.SIGKILL]:
            os.kill(program, number)
        if not numbers:
            os._exit(0)


def run(asked: dict, files: list[int]) -> None:
    import logging
    import runpy

    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = asked["arguments"]
    status = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as leaves:
        status = leaves.code if isinstance(leaves.code, int) else int(leaves.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


def client(path: str, arguments: list[str]) -> None:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    asked = {"arguments": arguments, "cwd": os.getcwd(), "environment": dict(os.environ)}
    for number in PASSED_ON:
        signal.signal(number, lambda number, _: connection.sendall(bytes([number])))
    message = json.dumps(asked).encode() + b"\n"
    sent = socket.send_fds(connection, [message], [0, 1, 2])
    connection.sendall(message[sent:])
    for file in (0, 1, 2):
        os.close(file)
    status = connection.makefile().readline()
    code = int(status or -signal.SIGKILL)
    if code >= 0:
        os._exit(code)
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    client(sys.argv[1], sys.argv[2:])
