"""A framework and its executor, both on pymesos: tasks, messages both ways, kills, and an end."""

import getpass
import sys
import threading
import time

from addict import Dict
from pymesos import (
    Executor,
    MesosExecutorDriver,
    MesosSchedulerDriver,
    Scheduler,
    decode_data,
    encode_data,
)


class Works(Executor):
    """Runs nothing; says what becomes of its tasks."""

    def registered(self, driver, executor_info, framework_info, agent_info):
        assert executor_info.executor_id.value == "works"
        assert agent_info.hostname

    def launchTask(self, driver, task):
        self.say(driver, task.task_id, "TASK_RUNNING")

    def killTask(self, driver, task_id):
        self.say(driver, task_id, "TASK_KILLED")

    def frameworkMessage(self, driver, message):
        words = decode_data(message).decode()
        driver.sendFrameworkMessage(encode_data(("heard " + words).encode()))
        self.say(driver, Dict(value="talks"), "TASK_FINISHED", b"bye")

    def shutdown(self, driver):
        print("shutdown", flush=True)

    def say(self, driver, task_id, state, data=b""):
        status = Dict(task_id=task_id, state=state, timestamp=time.time())
        status.data = encode_data(data)
        driver.sendStatusUpdate(status)


class Asks(Scheduler):
    def __init__(self, command):
        self.command = command
        self.launched = False
        self.states, self.data = {}, {}
        self.agent = None
        self.words = []
        self.done, self.lost = threading.Event(), threading.Event()

    def resourceOffers(self, driver, offers):
        for offer in offers:
            tasks = []
            if not self.launched:
                self.launched = True
                tasks = [self.task(offer, name) for name in ("talks", "waits")]
            driver.launchTasks(offer.id, tasks, {"refuse_seconds": 1})

    def task(self, offer, name):
        task = Dict(name=name)
        task.task_id.value = name
        task.agent_id.value = offer.agent_id.value
        task.resources = self.resources(0.1, 32)
        task.executor.executor_id.value = "works"
        task.executor.name = "works"
        task.executor.command.value = self.command
        task.executor.resources = self.resources(0.1, 64)
        return task

    @staticmethod
    def resources(cpus, mem):
        scalar = lambda name, value: {"name": name, "type": "SCALAR", "scalar": {"value": value}}
        return [scalar("cpus", cpus), scalar("mem", mem)]

    def statusUpdate(self, driver, update):
        name, state = update.task_id.value, update.state
        print(name, state, update.get("message"), flush=True)
        assert update.executor_id.value == "works"
        assert update.source == "SOURCE_EXECUTOR", update
        self.states[name] = state
        if state == "TASK_RUNNING" and name == "waits":
            driver.killTask(update.task_id)
        if state == "TASK_RUNNING" and name == "talks":
            self.agent = update.agent_id
            driver.sendFrameworkMessage(
                update.executor_id, update.agent_id, encode_data(b"hello"))
        if state == "TASK_FINISHED":
            self.data[name] = decode_data(update.data)
        self.check()

    def frameworkMessage(self, driver, executor_id, agent_id, message):
        assert executor_id.value == "works"
        self.words.append(decode_data(message))
        self.check()

    def check(self):
        ended = {"talks": "TASK_FINISHED", "waits": "TASK_KILLED"}
        if self.states == ended and self.words:
            self.done.set()

    def executorLost(self, driver, executor_id, agent_id, status):
        print("lost", executor_id.value, status, flush=True)
        self.lost.set()


def execute():
    driver = MesosExecutorDriver(Works(), use_addict=True)
    driver.run()


def schedule(master):
    framework = Dict(user=getpass.getuser(), name="executes", hostname="localhost", checkpoint=True)
    scheduler = Asks("exec %s %s executor" % (sys.executable, __file__))
    driver = MesosSchedulerDriver(scheduler, framework, master, use_addict=True)
    driver.start()
    try:
        assert scheduler.done.wait(60), (scheduler.states, scheduler.words)
        assert scheduler.words == [b"heard hello"], scheduler.words
        assert scheduler.data == {"talks": b"bye"}, scheduler.data
        shutdown = {"type": "SHUTDOWN", "framework_id": {"value": driver.framework_id}}
        shutdown["shutdown"] = {"executor_id": {"value": "works"}, "agent_id": scheduler.agent}
        driver._send(shutdown)
        assert scheduler.lost.wait(60), "the end of the executor is not told"
    finally:
        driver.stop()
    print("pymesos' executor: all well", flush=True)


if sys.argv[1] == "executor":
    execute()
else:
    schedule(sys.argv[1])
