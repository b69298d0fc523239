"""Start, stop, reload, kills and the watchdog, as systemd does and sees them."""

from __future__ import annotations

import signal

from served_machine import UNIT, Service

from waiting import wait_until

ONE = "prompt: a lake\nsteps: 2\nstrength: 1\nseed: 1\n"
SWEEP = "prompt: a lake\nsteps: 10\nseed: 5\nsweep: {strength: {from: 0.1, to: 1, step: 0.1}}\n"
FRAMES = 10


def test_it_is_up_only_when_it_has_looked_at_its_inboxes(service: Service) -> None:
    service.drop("early.png", None)
    service.start()  # returns when systemd has heard READY=1
    assert (service.show("Type"), service.show("ActiveState")) == ("notify", "active")
    assert service.show("StatusText") == "1 waiting in the inboxes"
    service.drop("early.png", ONE)
    service.wait_done("early.png")
    wait_until(lambda: service.show("StatusText") == "idle", "systemd knows that it is idle")


def test_its_status_says_what_it_paints(service: Service) -> None:
    service.slow()
    service.start()
    service.drop("hills.png", SWEEP)
    wait_until(lambda: "painting job" in service.show("StatusText"), "the status names the job")
    assert "hills.png" in service.show("StatusText")
    assert 'Status: "painting' in service.systemctl("status", "--no-pager", UNIT)


def test_a_worker_that_is_killed_is_replaced_and_its_job_served(service: Service) -> None:
    service.slow()
    service.start()
    daemon = service.pid
    service.drop("hills.png", SWEEP)
    wait_until(lambda: len(service.staged()) >= 2, "two frames are painted")
    before = service.staged()
    killed = service.child("pool.process")
    service.machine.shell(f"kill -KILL {killed}")
    service.wait_done("hills.png")
    assert service.pid == daemon
    assert service.show("NRestarts") == "0"
    assert len(service.outputs()) == FRAMES
    assert service.published() >= set(before.values())


def test_a_daemon_that_is_killed_is_started_again_and_serves_each_job_once(
    service: Service,
) -> None:
    service.drop_in("soon", "RestartSec=100ms")
    service.slow()
    service.start()
    killed = service.pid
    service.drop("hills.png", SWEEP)
    wait_until(lambda: len(service.staged()) >= 2, "two frames are painted")
    service.systemctl("kill", "--kill-whom=main", "--signal=KILL", UNIT)
    service.wait_done("hills.png")
    assert service.pid not in (0, killed)
    assert service.show("NRestarts") == "1"
    assert len(service.outputs()) == FRAMES
    assert service.log.count("published") == 1


def test_a_scan_loop_that_stands_still_is_noticed_and_the_daemon_started_again(
    service: Service,
) -> None:
    service.drop_in("soon", "WatchdogSec=3s", "RestartSec=100ms")
    service.start()
    stopped = service.pid
    stop = "/opt/source/tests/systemd/stop_thread.py", str(stopped), "inbox"
    with service.machine.start("/opt/img2imgd/bin/python", *stop) as holder:
        assert holder.stdout is not None
        assert "stands still" in holder.stdout.readline()
        service.drop("lake.png", ONE)
        service.wait_done("lake.png")
        assert holder.wait(10) == 0, holder.stdout.read()
    assert service.pid not in (0, stopped)
    assert service.show("NRestarts") == "1"
    assert "Watchdog timeout" in service.log
    assert "most recent call first" in service.log, service.log


def test_a_stop_amid_a_sweep_keeps_what_is_painted_for_the_next_start(service: Service) -> None:
    service.slow()
    service.start()
    service.drop("hills.png", SWEEP)
    wait_until(lambda: len(service.staged()) >= 3, "three frames are painted")
    service.systemctl("stop", UNIT)
    assert service.show("Result") == "success", service.log
    assert "SIGKILL" not in service.log
    staged = service.staged()
    assert 3 <= len(staged) < FRAMES
    service.start()
    service.wait_done("hills.png")
    assert len(service.published()) == FRAMES
    assert service.published() >= set(staged.values())


def test_a_reload_takes_the_new_config_and_leaves_the_running_job_alone(
    service: Service,
) -> None:
    service.slow()
    service.start()
    daemon = service.pid
    service.drop("hills.png", SWEEP)
    wait_until(lambda: len(service.staged()) >= 2, "two frames are painted")
    worker, before = service.child("pool.process"), service.staged()
    service.write_config(extra="defaults: {prompt: a hill}\n")
    service.systemctl("reload", UNIT)
    wait_until(lambda: "reloaded" in service.log, "it has read the config again")
    service.drop("alone.png", None)  # it would wait for its sidecar, but for the new prompt
    service.wait_done("alone.png", "hills.png")
    assert service.show("ActiveState") == "active"
    assert (service.pid, service.child("pool.process")) == (daemon, worker)
    assert service.published() >= set(before.values())
    assert len(service.outputs()) == FRAMES + 1


def test_a_reload_of_a_wrong_config_is_refused_and_the_old_one_stays(service: Service) -> None:
    service.start()
    daemon = service.pid
    service.write_config(extra="strenght: 1\n")
    service.systemctl("reload", UNIT)
    wait_until(lambda: "strenght" in service.show("StatusText"), "the status says what is wrong")
    assert "config not reloaded" in service.journal(most=3)
    assert "watching" not in service.journal(most=3)
    service.drop("lake.png", ONE)
    service.wait_done("lake.png")
    assert (service.pid, service.show("ActiveState")) == (daemon, "active")
    service.write_config()
    service.systemctl("reload", UNIT)
    wait_until(lambda: service.show("StatusText") == "idle", "and no more once it is right")


def test_a_config_that_is_wrong_ends_it_and_it_is_not_tried_again(service: Service) -> None:
    service.drop_in("soon", "RestartSec=100ms")
    service.write_config(extra="strenght: 1\n")
    service.systemctl("start", UNIT, check=False)
    wait_until(lambda: service.show("ActiveState") == "failed", "the service has failed")
    assert service.show("ExecMainStatus") == "2"
    assert service.show("NRestarts") == "0"
    assert "strenght" in service.log


def test_a_daemon_that_ends_for_want_of_a_disk_is_started_again_and_again(
    service: Service,
) -> None:
    service.drop_in("soon", "RestartSec=2s")
    service.path("outbox").rmdir()
    service.path("outbox").write_text("a file in the way")
    service.systemctl("start", UNIT, check=False)
    wait_until(lambda: service.show("NRestarts") == "1", "it is tried again")
    service.path("outbox").unlink()
    wait_until(lambda: service.show("ActiveState") == "active", "it is up once the file is gone")
    assert service.show("ExecMainStatus") != str(signal.SIGKILL)
