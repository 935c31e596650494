"""A Python client of msgbus.v1, with grpcio: enqueues the arguments, then works the queue "mails" until it is empty.

    pip install grpcio grpcio-tools
    python -m grpc_tools.protoc -I proto --python_out=. --grpc_python_out=. msgbus/v1/msgbus.proto
    python client.py 127.0.0.1:50051 ada bob
"""

import sys
import time

import grpc

from msgbus.v1 import msgbus_pb2 as pb
from msgbus.v1 import msgbus_pb2_grpc as rpc

QUEUE = "mails"


# #region enqueue
def enqueue(bus: rpc.MsgbusServiceStub, payload: bytes) -> None:
    # The answer comes when the item is on the disk. After DEADLINE_EXCEEDED or UNAVAILABLE it may be there or not.
    request = pb.EnqueueFifoRequest(queue=QUEUE, topic=QUEUE, target=pb.NodeId(), payload=payload)
    bus.EnqueueFifo(request, timeout=10)


# #endregion


# #region work
def work(bus: rpc.MsgbusServiceStub, do) -> None:
    """Does the items in their order, each at least once, until the queue is empty."""
    while True:
        try:
            item = bus.PeekFifo(pb.PeekFifoRequest(queue=QUEUE), timeout=10).message
            try:
                do(item)
            except ValueError as error:
                print(f"attempt {item.attempts + 1}: {error}", file=sys.stderr)
                bus.RejectFifo(pb.RejectFifoRequest(queue=QUEUE, message_id=item.id), timeout=10)
                time.sleep(0.1)
            else:
                # False where somebody else has done it meanwhile: an item leaves the queue once.
                bus.AckFifo(pb.AckFifoRequest(queue=QUEUE, message_id=item.id), timeout=10)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise
            time.sleep(1)


# #endregion


def main() -> None:
    address, *payloads = sys.argv[1:]
    with grpc.insecure_channel(address) as channel:
        bus = rpc.MsgbusServiceStub(channel)
        for payload in payloads:
            enqueue(bus, payload.encode())
        work(bus, lambda item: print(f"{item.sequence}: {item.payload.decode()}"))


if __name__ == "__main__":
    main()
