"""A framework on pymesos: runs tasks, reconciles, kills, and asks the operator API."""

import getpass
import sys
import threading

from addict import Dict
from pymesos import (
    MesosOperatorMasterDriver,
    MesosSchedulerDriver,
    OperatorMaster,
    Scheduler,
)

MASTER = sys.argv[1]
TASKS = 3


class Runs(Scheduler):
    def __init__(self):
        self.states = {}
        self.launched = 0
        self.done = threading.Event()
        self.lost = threading.Event()

    def registered(self, driver, framework_id, master_info):
        print("registered", framework_id.value, flush=True)
        driver.reconcileTasks([{"task_id": {"value": "nobody"}, "agent_id": {"value": "a"}}])

    def resourceOffers(self, driver, offers):
        for offer in offers:
            tasks = []
            if self.launched < TASKS:
                tasks.append(self.task(offer))
            driver.launchTasks(offer.id, tasks, {"refuse_seconds": 1})

    def task(self, offer):
        self.launched += 1
        task = Dict()
        task.task_id.value = "pymesos:%d" % self.launched
        task.agent_id.value = offer.agent_id.value
        task.name = "task"
        sleeps = self.launched == TASKS
        task.command.value = "sleep 1000" if sleeps else "echo hello"
        task.resources = [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}},
            {"name": "gpus", "type": "SCALAR", "scalar": {"value": 0}},
        ]
        return task

    def statusUpdate(self, driver, update):
        name, state = update.task_id.value, update.state
        print(name, state, flush=True)
        if name == "nobody":
            assert state == "TASK_LOST", state
            assert not update.uuid
            self.lost.set()
            return
        self.states[name] = state
        if state == "TASK_RUNNING" and name == "pymesos:%d" % TASKS:
            driver.killTask(update.task_id)
        ended = [it for it in self.states.values() if it in ("TASK_FINISHED", "TASK_KILLED")]
        if len(ended) == TASKS:
            self.done.set()

    def error(self, driver, message):
        print("error", message, flush=True)


class Watches(OperatorMaster):
    def __init__(self):
        self.heard = set()

    def _hear(self, kind):
        self.heard.add(kind)

    def taskAdded(self, task_info):
        self._hear("added")

    def taskUpdated(self, task_info):
        self._hear("updated")

    def agentAdded(self, agent_info):
        self._hear("agent")


framework = Dict(user=getpass.getuser(), name="with-pymesos", hostname="localhost", checkpoint=True)
scheduler, watcher = Runs(), Watches()
driver = MesosSchedulerDriver(scheduler, framework, MASTER, use_addict=True)
operator = MesosOperatorMasterDriver(MASTER, watcher)
operator.start()
driver.start()
try:
    assert scheduler.lost.wait(60), "no answer to reconciliation"
    assert scheduler.done.wait(60), scheduler.states
    assert sorted(scheduler.states.values()) == ["TASK_FINISHED", "TASK_FINISHED", "TASK_KILLED"]
    assert operator.getHealth()["get_health"]["healthy"] is True
    frameworks = operator.getFrameworks()["get_frameworks"]["frameworks"]
    names = [it["framework_info"]["name"] for it in frameworks]
    assert "with-pymesos" in names, names
    assert operator.getVersion()["get_version"]["version_info"]["version"]
    assert operator.getTasks()["get_tasks"]["completed_tasks"]
    assert {"added", "updated"} <= watcher.heard, watcher.heard
finally:
    driver.stop()
    operator.stop()
print("pymesos: all well", flush=True)
