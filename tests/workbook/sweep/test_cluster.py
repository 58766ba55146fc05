"""The same tasks on worker processes: the same bytes, also when workers die."""

import os
import signal
import socket
import time

import dask
import pytest
from distributed import LocalCluster

from tests.workbook.sweep import toys
from xcoll.errors import ParameterError, RunError
from xcoll.workbook.sweep import cluster
from xcoll.workbook.sweep.inputs import Inputs
from xcoll.workbook.sweep.serial import serial
from xcoll.workbook.sweep.tasks import Work

SAID = []


@pytest.fixture(scope="module")
def carrier():
    """Two local workers for the module; a task may end two of them before it is given up."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        cluster.local(2, SAID.append) as carrier,
    ):
        yield carrier


@pytest.fixture
def client(carrier):
    (client,) = carrier.args
    return client


def by_index(finished):
    return {task.index: content for task, content in finished}


def pids(client):
    return [nanny.pid for nanny in client.cluster.workers.values()]


def test_the_bytes_are_those_of_the_serial_run(carrier, planned):
    tasks = planned(axes={"scale": [1, 2, 3], "book_seed": [0, 1]}, chunk=2)
    assert by_index(carrier(toys.TOY, tasks, Inputs())) == by_index(
        serial(toys.TOY, tasks, Inputs())
    )


def test_inputs_travel(carrier, planned):
    inputs = Inputs({"total.json": b'{"total": 7}'})
    work = Work(toys.reads, toys.SETTINGS, toys.span, toys.four)
    tasks = planned("still", axes={"scale": [1, 2]})
    finished = by_index(carrier(work, tasks, inputs))
    assert finished == by_index(serial(work, tasks, inputs))


def test_workers_are_processes_of_one_thread_on_the_loopback(client):
    assert len(set(pids(client)) - {os.getpid()}) == 2
    assert list(client.nthreads().values()) == [1, 1]
    addresses = [client.scheduler.address, *client.nthreads()]
    assert all(address.startswith("tcp://127.0.0.1:") for address in addresses)


def some(planned, count, **fixed):
    """`count` tasks of one point each."""
    return planned(axes={"scale": {"from": 1, "to": count}}, fixed=fixed, chunk=6)


def test_a_worker_killed_half_way_costs_time_and_nothing_else(carrier, client, planned):
    SAID.clear()
    tasks = some(planned, 10, seconds=0.2)
    finished = carrier(toys.TOY, tasks, Inputs())
    first, content = next(finished)
    held = client.processing()
    victim = next(one.pid for one in client.cluster.workers.values() if held[one.worker_address])
    os.kill(victim, signal.SIGKILL)
    seen = {first.index: content} | by_index(finished)
    assert seen == by_index(serial(toys.TOY, tasks, Inputs()))
    assert any("Restarting worker" in line for line in SAID)
    assert victim not in pids(client)


def test_a_task_that_kills_its_worker_each_time_is_named(carrier, planned):
    tasks = some(planned, 6, seconds=0.2, trouble="die", bad=3)
    seen = {}

    def finish():
        for task, content in carrier(toys.TOY, tasks, Inputs()):
            seen[task.index] = content

    with pytest.raises(RunError, match=r"task 2 \(scale 3\.0, items 0–5\) ended 2 workers"):
        finish()
    good = [task for task in tasks if task.index in seen]
    assert len(good) >= 2
    assert seen == by_index(serial(toys.TOY, good, Inputs()))


def test_a_task_that_raises_is_named(carrier, planned):
    tasks = planned(axes={"scale": [1, 2, 3]}, fixed={"trouble": "raise"}, chunk=6)
    with pytest.raises(RunError, match=r"task 1 .* failed: ZeroDivisionError: planted") as caught:
        list(carrier(toys.TOY, tasks, Inputs()))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_frame_that_is_refused_on_a_worker(carrier, planned):
    tasks = planned(axes={"scale": [2]}, fixed={"trouble": "index"}, chunk=6)
    with pytest.raises(RunError, match=r"task 0 .* default index"):
        list(carrier(toys.TOY, tasks, Inputs()))


def test_leaving_early_takes_the_rest_of_the_tasks_back(carrier, client, planned):
    finished = carrier(toys.TOY, some(planned, 60, seconds=0.5), Inputs())
    next(finished)
    finished.close()
    began = time.monotonic()
    assert len(list(carrier(toys.TOY, some(planned, 1), Inputs()))) == 1
    assert time.monotonic() - began < 10


def test_any_scheduler_will_do(client, sweep):
    axes = {"scale": [1, 2, 3]}
    code, here = sweep("--serial", axes=axes, file="here")
    assert code == 0
    code, there = sweep("--scheduler", client.scheduler.address, axes=axes, file="there")
    assert code == 0
    for name in ("results.parquet", "sweep.json"):
        assert (there / name).read_bytes() == (here / name).read_bytes()


@pytest.mark.parametrize("address", ["localhost", "foo://localhost:1", "localhost:x", ""])
def test_an_address_that_is_none(address):
    with (
        pytest.raises(ParameterError, match="give tcp://host:port"),
        cluster.remote(address, SAID.append),
    ):
        pass


def test_a_scheduler_that_does_not_answer(sweep, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", "1s")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    began = time.monotonic()
    code, folder = sweep("--scheduler", address, axes={"scale": [1]})
    assert code == 1
    assert f"no scheduler answers at {address} within 1s" in capsys.readouterr().err
    assert time.monotonic() - began < 10
    assert not (folder / "results.parquet").exists()


@pytest.fixture(scope="module")
def elsewhere():
    """A scheduler of its own, for what must not happen to the shared one."""
    with LocalCluster(
        n_workers=0,
        processes=False,
        host="127.0.0.1",
        protocol="tcp://",
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
    ) as made:
        yield made


def test_a_scheduler_without_workers(elsewhere, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", "1s")
    with (
        pytest.raises(RunError, match=r"has no workers; start some with `dask worker tcp://"),
        cluster.remote(elsewhere.scheduler_address, SAID.append),
    ):
        pass


def test_a_scheduler_that_is_lost_half_way(elsewhere, planned, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", "1s")
    SAID.clear()
    elsewhere.scale(1)
    tasks = some(planned, 20, seconds=0.1)
    with cluster.remote(elsewhere.scheduler_address, SAID.append) as carrier:
        finished = carrier(toys.TOY, tasks, Inputs())
        next(finished)
        elsewhere.close()
        with pytest.raises(RunError, match="the scheduler is lost"):
            list(finished)
    assert any("--nthreads 1 is faster" in line for line in SAID) is (os.cpu_count() > 1)
