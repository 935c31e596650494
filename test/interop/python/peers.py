"""The two Python clients of BUS/RT, as they are published, behind one small face: busrt with threads, busrt_async."""

import asyncio

import busrt
import busrt_async

# On a machine that is busy with other things.
PATIENCE = 20


class Peer:
    def __init__(self, client, library):
        self.client = client
        self.library = library
        self.loop = asyncio.get_running_loop()
        self.frames = asyncio.Queue()
        self.notifications = asyncio.Queue()
        self.rpc = None
        client.timeout = PATIENCE
        client.ping_interval = 0.2

    def frame(self, payload, kind, qos):
        return self.library.client.Frame(payload, tp=kind, qos=qos)

    async def send(self, target, payload, kind=0x12, qos=1):
        """Sends a frame, and gives the result of its ack; without one, what the library says then."""
        return await self.wait(await self.start("send", target, self.frame(payload, kind, qos)))

    async def topics(self, kind, topics, qos=1):
        frame = self.frame(None, kind, qos)
        frame.topic = topics
        return await self.wait(await self.start("send", None, frame))

    async def next(self):
        return await asyncio.wait_for(self.frames.get(), PATIENCE)

    async def call(self, target, method, params=b""):
        """The reply's payload, or the error's code and text."""
        try:
            event = await self.run(self.rpc.call, target, self.library.rpc.Request(method, params))
            return (await self.wait(event)).get_payload()
        except self.library.rpc.RpcException as error:
            payload = error.rpc_error_payload
            return error.rpc_error_code, payload if isinstance(payload, str) else payload.decode()

    async def call0(self, target, method, params=b""):
        return await self.wait(await self.run(self.rpc.call0, target, self.library.rpc.Request(method, params)))

    async def notify(self, target, payload):
        return await self.wait(await self.run(self.rpc.notify, target, self.library.rpc.Notification(payload)))

    def answer(self, event):
        """What this client does when it is called."""
        method = event.method.decode()
        if method == "echo":
            return event.get_payload()
        if method == "who":
            return event.frame.primary_sender.encode()
        if method == "nothing":
            return None
        if method == "remember":
            self.notified(b"remember " + event.get_payload())
            return None
        raise self.library.rpc.RpcException(f"no method {method}", -32601)

    def notified(self, payload):
        self.loop.call_soon_threadsafe(self.notifications.put_nowait, payload)

    def arrived(self, frame):
        self.loop.call_soon_threadsafe(self.frames.put_nowait, frame)


class ThreadedPeer(Peer):
    def __init__(self, path, name):
        super().__init__(busrt.client.Client(path, name), busrt)
        self.client.on_frame = self.arrived

    async def run(self, function, *args):
        return await asyncio.to_thread(function, *args)

    async def start(self, method, *args):
        return await self.run(getattr(self.client, method), *args)

    async def wait(self, what):
        return await asyncio.to_thread(what.wait_completed, timeout=PATIENCE)

    def serve(self):
        self.rpc = busrt.rpc.Rpc(self.client)
        self.rpc.on_call = self.answer
        self.rpc.on_frame = self.arrived
        self.rpc.on_notification = lambda event: self.notified(event.get_payload())


class AsyncPeer(Peer):
    def __init__(self, path, name):
        super().__init__(busrt_async.client.Client(path, name), busrt_async)
        self.client.on_frame = self.async_arrived

    async def run(self, function, *args):
        return await function(*args)

    async def start(self, method, *args):
        return await getattr(self.client, method)(*args)

    async def wait(self, what):
        return await what.wait_completed(timeout=PATIENCE)

    async def async_arrived(self, frame):
        self.arrived(frame)

    async def async_answer(self, event):
        return self.answer(event)

    async def async_notified(self, event):
        self.notified(event.get_payload())

    def serve(self):
        self.rpc = busrt_async.rpc.Rpc(self.client)
        self.rpc.on_call = self.async_answer
        self.rpc.on_frame = self.async_arrived
        self.rpc.on_notification = self.async_notified


async def connect(library, path, name):
    peer = (ThreadedPeer if library == "busrt" else AsyncPeer)(path, name)
    await peer.start("connect")
    return peer
