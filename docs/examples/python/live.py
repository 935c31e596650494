"""Two clients of the live plane, with the Python client of BUS/RT: a thermostat that listens and answers, and a panel.

    pip install busrt msgpack
    python live.py millrace-data/millrace.sock
"""

import queue
import sys

import msgpack
from busrt.client import OP_PUBLISH, Client, Frame
from busrt.rpc import Request, Rpc, RpcException


# #region serve
class Thermostat:
    def __init__(self, path: str) -> None:
        self.heard = queue.Queue()
        self.client = Client(path, "home.thermostat")
        rpc = Rpc(self.client)
        rpc.on_frame = self.on_frame
        rpc.on_call = self.on_call
        self.client.connect()
        self.client.subscribe("sensors/+/temperature")

    def on_frame(self, frame: Frame) -> None:
        self.heard.put(f"{frame.topic} from {frame.sender}: {frame.payload.decode()}")

    def on_call(self, event) -> bytes:
        if event.method != b"set":
            raise RpcException("there is no such method", -32601)
        celsius = msgpack.loads(event.get_payload())["celsius"]
        if celsius > 30:
            raise RpcException(f"{celsius} is too hot", -32602)
        return msgpack.dumps({"set": celsius})


# #endregion


# #region call
def call(rpc: Rpc, method: str, **params) -> None:
    try:
        answer = rpc.call("home.thermostat", Request(method, msgpack.dumps(params))).wait_completed(timeout=5)
        print(msgpack.loads(answer.get_payload()))
    except RpcException as error:
        print(error.rpc_error_code, error.rpc_error_payload.decode())


# #endregion


def main() -> None:
    path = sys.argv[1]
    thermostat = Thermostat(path)
    panel = Client(path, "home.panel")
    rpc = Rpc(panel)
    panel.connect()
    # qos 1: the node answers when the publication is on its way to all who want it.
    sent = panel.send("sensors/kitchen/temperature", Frame("21.5", tp=OP_PUBLISH, qos=1))
    print("published", sent.wait_completed(timeout=5) == 1)
    print(thermostat.heard.get(timeout=5))
    call(rpc, "set", celsius=22)
    call(rpc, "set", celsius=99)
    call(rpc, "boil")
    panel.disconnect()
    thermostat.client.disconnect()


if __name__ == "__main__":
    main()
