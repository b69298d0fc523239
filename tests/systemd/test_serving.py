"""The service at work: drops of other people, in the sandbox, by the real pipeline."""

from __future__ import annotations

from served_machine import Service

SIDECAR = "prompt: an oil painting of a lake at sunset\nsteps: 4\nstrength: 0.5\n"


def test_a_drop_of_somebody_of_the_group_is_served(service: Service) -> None:
    service.start()
    service.drop("lake.png", SIDECAR)
    service.wait_done("lake.png")
    [output] = service.outputs()
    size = service.machine.shell("cat /var/lib/img2imgd/outbox/*.png | wc -c", user="anna")
    assert int(size) == output.stat().st_size
    service.machine.shell("mv /var/lib/img2imgd/outbox/*.png /home/anna/", user="anna")
    assert not output.exists()


def test_whatever_umask_people_have_their_drops_are_served(service: Service) -> None:
    service.start()
    service.drop("private.png", SIDECAR, umask="077")
    service.drop("trip/lake.png", SIDECAR, umask="077")
    service.wait_done("private.png", "trip/lake.png")


def test_others_see_nothing_of_it(service: Service) -> None:
    service.start()
    service.drop("lake.png", SIDECAR)
    service.wait_done("lake.png")
    for user, folder in (("nobody", ""), ("nobody", "/outbox"), ("anna", "/state")):
        look = "runuser", "-u", user, "--", "ls", f"/var/lib/img2imgd{folder}"
        assert "Permission denied" in service.machine.run(*look, check=False).stderr
