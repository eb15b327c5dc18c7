"""Whole processes: how long they take, and how much memory."""

import os
import shlex
import shutil
import time


def spawn(command, setting, output):
    """Starts a command with its stdout in a file."""
    path = shutil.which(command[0], path=setting.environment["PATH"])
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, output, flags, 0o600)]
    return os.posix_spawn(path, command, setting.environment, file_actions=actions)


def call(command, setting):
    """Runs a command to its end: wall and CPU time in milliseconds."""
    begun = time.perf_counter()
    _, status, usage = os.wait4(spawn(command, setting, setting.folder / "output"), 0)
    wall = time.perf_counter() - begun
    if status != 0:
        raise SystemExit(f"error: {shlex.join(map(str, command))}: exit {os.waitstatus_to_exitcode(status)}")
    return wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000


def peak_memory(command, setting):
    """In MiB, of the largest process. By `time`: the kernel would count what this program takes as the command's."""
    output = setting.folder / "peak"
    peaks = []
    for _ in range(3):
        call(["/usr/bin/time", "-f", "%M", "-o", str(output), *command], setting)
        peaks.append(int(output.read_text()))
    return max(peaks) / 1024


def one_after_the_other(commands, setting):
    """Milliseconds in all."""
    begun = time.perf_counter()
    for command in commands:
        call(command, setting)
    return (time.perf_counter() - begun) * 1000


def all_at_once(commands, setting):
    """Milliseconds in all, and the requests that it took. Every call must end well, and every token be good."""
    before, outputs = setting.token_requests(), [setting.folder / f"output{number}" for number in range(len(commands))]
    begun = time.perf_counter()
    running = [spawn(command, setting, output) for command, output in zip(commands, outputs)]
    failed = sum(os.waitpid(process, 0)[1] != 0 for process in running)
    wall = (time.perf_counter() - begun) * 1000
    requests = setting.token_requests() - before
    bad = sum(not setting.is_good(token) for token in {output.read_text().strip() for output in outputs})
    if failed or bad:
        raise SystemExit(f"error: of {len(commands)} calls at once {failed} failed, {bad} tokens are not good")
    return wall, requests
