"""Rates of one client, and of all together."""

from __future__ import annotations

from img2imgd.page.buckets import Buckets, Rate


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_a_rate_for_each_client() -> None:
    clock = Clock()
    buckets = Buckets(Rate(3, 0.5), Rate(100, 10), clock)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 2]
    assert buckets.take("b") == 0
    clock.now += 2
    assert [buckets.take("a") for _ in range(2)] == [0, 2]


def test_asking_how_long_takes_nothing() -> None:
    buckets = Buckets(Rate(1, 0.1), Rate(100, 10), Clock())
    assert [buckets.wait("a") for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a") == 0
    assert [buckets.wait("a"), buckets.wait("b")] == [10, 0]


def test_all_together_have_a_limit_too() -> None:
    buckets = Buckets(Rate(3, 1), Rate(4, 1), Clock())
    assert [buckets.take(str(client)) for client in range(5)] == [0, 0, 0, 0, 1]


def test_many_clients_take_no_memory_without_end() -> None:
    clock = Clock()
    buckets = Buckets(Rate(3, 0.001), Rate(1e9, 1e9), clock)
    for client in range(5_000):
        buckets.take(str(client))
    assert len(buckets._clients) <= 1_000
