"""A framework on mesoshttp: runs a task to its end."""

import sys
import threading

from mesoshttp.client import MesosClient

MASTER = sys.argv[1]
ended = threading.Event()
launched = threading.Event()

client = MesosClient(mesos_urls=[MASTER], frameworkName="with-mesoshttp", frameworkUser="root")


def offers(list_of_offers):
    for offer in list_of_offers:
        if launched.is_set():
            offer.decline()
            continue
        launched.set()
        mesos_offer = offer.get_offer()
        offer.accept([{
            "name": "task",
            "task_id": {"value": "mesoshttp:1"},
            "agent_id": {"value": mesos_offer["agent_id"]["value"]},
            "resources": [
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
                {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}},
            ],
            "command": {"value": "echo hello", "shell": True},
        }])


def update(status):
    state = status["status"]["state"]
    print(state, flush=True)
    if state == "TASK_FINISHED":
        ended.set()


client.on(MesosClient.OFFERS, offers)
client.on(MesosClient.UPDATE, update)
thread = threading.Thread(target=client.register, daemon=True)
thread.start()
assert ended.wait(60), "the task did not end"
client.stop = True
print("mesoshttp: all well", flush=True)
