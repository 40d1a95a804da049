"""/proc, /dev and /sys of the machine itself."""

from __future__ import annotations

from tests.support.machine.running import iopermit_run


def shell(script: str, *options: str) -> list[str]:
    """Return the lines that a shell script prints."""
    ran = iopermit_run(*options, "/bin/sh", "-c", script)
    assert (ran.errors, ran.status) == ("", 0)
    return ran.output.splitlines()


def test_a_process_sees_itself() -> None:
    """Its number, name, command line, environment, directory and program are its own."""
    lines = shell(
        "cd /usr/bin; readlink /proc/self /proc/$$/cwd /proc/$$/root; cat /proc/$$/comm; "
        "tr '\\0' ' ' < /proc/$$/cmdline | head -c 10; echo; "
        "tr '\\0' '\\n' < /proc/$$/environ | grep -c PATH=; grep -E '^(Pid|Uid)' /proc/$$/status"
    )
    number, cwd, root, comm, arguments, paths, pid, uid = lines
    assert number.isdigit()
    assert int(number) != 1001
    assert (cwd, root, comm, arguments) == ("/usr/bin", "/", "sh", "/bin/sh -c")
    assert int(paths) >= 1
    assert (pid, uid) == ("Pid:\t1001", "Uid:\t0\t0\t0\t0")


def test_only_the_machines_processes_are_listed() -> None:
    """Numbers begin with 1001; there is no process of the host."""
    lines = shell("ls /proc | grep '^[0-9]'; ls -d /proc/1 2>&1 | grep -c 'No such file'")
    assert lines[-1] == "1"
    assert all(int(line) > 1000 for line in lines[:-1])
    assert "1001" in lines


def test_descriptors_are_links_to_what_is_open() -> None:
    """A file is opened once more through its descriptor; the standard streams have names."""
    script = (
        "echo text > /dev/shm/x; exec 3< /dev/shm/x; cat /dev/fd/3; cat /proc/self/fd/3; "
        "readlink /proc/self/fd/3; echo out > /dev/stdout; echo piped | cat /dev/stdin"
    )
    assert shell(script) == ["text", "text", "/dev/shm/x", "out", "piped"]


def test_the_machine_tells_its_own_figures() -> None:
    """Memory, processors, ports and mounts are those of the options, not of the host."""
    lines = shell(
        "grep MemTotal /proc/meminfo; grep -c ^processor /proc/cpuinfo; "
        "grep -c '^cpu[0-9]' /proc/stat; ls /sys/devices/system/cpu | grep -c '^cpu'; "
        "grep -c rtc0 /proc/ioports; cut -d' ' -f2 /proc/mounts; ls /sys",
        "--memory", "64M", "--cpus", "3",
    )  # fmt: skip
    assert lines[0].split() == ["MemTotal:", "65536", "kB"]
    assert lines[1:5] == ["3", "3", "3", "1"]
    assert lines[5:] == ["/", "/proc", "/dev", "/dev/shm", "/tmp", "devices"]


def test_simple_devices() -> None:
    """Null swallows, zero gives zeros, full is full, random gives bytes that the seed decides."""
    script = (
        "echo x > /dev/null; head -c 3 /dev/zero | od -An -tx1; "
        "{ /bin/echo x > /dev/full; } 2>&1 | grep -c 'No space'; "
        "head -c 4 /dev/urandom | od -An -tx1; stat -c %t:%T /dev/zero"
    )
    first, second, other = shell(script), shell(script), shell(script, "--seed", "7")
    assert first == second
    assert (first[0], first[1], first[3]) == (" 00 00 00", "1", "1:5")
    assert first[2] != other[2]
