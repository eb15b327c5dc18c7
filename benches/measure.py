"""Measures time and memory of whole processes."""

import os
import shlex
import shutil
import tempfile
import time
from pathlib import Path


def spawn(command, setting, output):
    """Starts a command with stdout in an open file, and returns its process ID."""
    path = shutil.which(command[0], path=setting.environment["PATH"])
    actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, output, 1)]
    return os.posix_spawn(path, command, setting.environment, file_actions=actions)


def run(command, setting):
    """Runs a command to completion, with stdout in a pipe, as mail programs do. Returns its wall time in seconds and
    its resource usage. A file would cost the commands that print something a write to disk: ext4 starts it when a file
    that was truncated is closed."""
    reader, writer = os.pipe()
    start = time.perf_counter()
    process = spawn(command, setting, writer)
    os.close(writer)
    while os.read(reader, 65536):
        pass
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - start
    os.close(reader)
    if status != 0:
        raise SystemExit(f"error: {shlex.join(map(str, command))}: exit {os.waitstatus_to_exitcode(status)}")
    return wall, usage


def call(command, setting):
    """Runs a command to completion. Returns wall and CPU time in milliseconds."""
    wall, usage = run(command, setting)
    return wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000


def page_faults(command, setting):
    """Returns the number of page faults of a command: the least of many runs, because the kernel maps more or fewer
    pages at once, depending on what is in its page cache."""
    return min(run(command, setting)[1].ru_minflt for _ in range(40))


def peak_memory(command, setting):
    """Returns the peak memory of the command's largest process in MiB.

    Uses `time`, because in a direct child the kernel would count this program's memory as well."""
    output = setting.folder / "peak"
    peaks = []
    for _ in range(3):
        call(["/usr/bin/time", "-f", "%M", "-o", str(output), *command], setting)
        peaks.append(int(output.read_text()))
    return max(peaks) / 1024


def one_after_the_other(commands, setting):
    """Runs the commands in sequence. Returns the total time in milliseconds."""
    start = time.perf_counter()
    for command in commands:
        call(command, setting)
    return (time.perf_counter() - start) * 1000


def all_at_once(commands, setting):
    """Runs the commands at once. Returns the total time in milliseconds and the number of token requests.

    Every command must succeed and print a valid token."""
    before = setting.token_requests()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        outputs = [Path(memory, str(number)) for number in range(len(commands))]
        start, running = time.perf_counter(), []
        for command, output in zip(commands, outputs):
            with output.open("wb") as file:
                running.append(spawn(command, setting, file.fileno()))
        failed = sum(os.waitpid(process, 0)[1] != 0 for process in running)
        wall = (time.perf_counter() - start) * 1000
        tokens = {output.read_text().strip() for output in outputs}
    requests = setting.token_requests() - before
    invalid = sum(not setting.is_valid(token) for token in tokens)
    if failed or invalid:
        raise SystemExit(f"error: {len(commands)} calls at once: {failed} failed, {invalid} tokens are not valid")
    return wall, requests
