#!/usr/bin/env python3
"""A stand-in for a wake-word detector, in plain Python: hotword.py MODELS_FOLDER [AGENT_SOCKET]"""
import json
import os
import socket
import sys
import time

models_folder = sys.argv[1]
path = sys.argv[2] if len(sys.argv) > 2 else os.environ["STARLING_MODULE_SOCKET"]
agent = None


def send(**message):
    agent.sendall(json.dumps(message).encode() + b"\n")


def listen(values):  # a real detector loads its models here
    print(f"hotword: listening with models {values['hotword.models']}, "
          f"threshold {values['hotword.threshold']}", flush=True)


def talk():  # until the agent goes away
    send(type="hello", name="hotword", protocol=1, components=["hotword"])
    prepared = {}
    for line in agent.makefile():
        message = json.loads(line)
        if message["type"] == "settings":
            listen(message["values"])
        elif message["type"] == "prepare":
            missing = [m for m in message["values"]["hotword.models"]
                       if not os.path.exists(os.path.join(models_folder, m))]
            errors = [{"key": "hotword.models", "message": f"model '{m}' is not in {models_folder}"}
                      for m in missing]
            send(type="prepared", hash=message["hash"], ok=not missing, errors=errors)
            prepared = {} if missing else {message["hash"]: message["values"]}
        elif message["type"] == "commit":
            if message["hash"] in prepared:
                listen(prepared.pop(message["hash"]))
            send(type="committed", hash=message["hash"])
        elif message["type"] == "action":
            send(type="action_result", id=message["id"], ok=False,
                 message=f"there is no action '{message['name']}'; this module has none")
        elif message["type"] == "refused":
            print("the agent refuses:", message["message"], file=sys.stderr)


while True:  # it outlives the agent, which may be started anew
    try:
        agent = socket.socket(socket.AF_UNIX)
        agent.connect(path)
        talk()
    except OSError as error:
        print("hotword: no agent:", error, file=sys.stderr)
    time.sleep(1)
