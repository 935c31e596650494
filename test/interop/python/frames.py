"""Messages, broadcasts and topics between clients of one library: prints what comes of each step, a line each.

    python frames.py busrt|busrt_async PATH|HOST:PORT
"""

import asyncio
import hashlib
import sys

from peers import PATIENCE, connect

MESSAGE, BROADCAST, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, EXCLUDE = 0x12, 0x13, 1, 2, 3, 4


def shown(frame):
    topic = "" if frame.topic is None else f" on {frame.topic}"
    return f"{hex(frame.type)} from {frame.sender}{topic}: {frame.payload.decode()}"


async def refusal(library, path, name):
    try:
        await connect(library, path, name)
        return "connected"
    except RuntimeError as error:
        return str(error)


async def main():
    library, path = sys.argv[1:]
    ada = await connect(library, path, "py.ada")
    bob = await connect(library, path, "py.bob")

    for qos in range(4):
        result = await ada.send("py.bob", f"qos {qos}", qos=qos)
        print(result, shown(await bob.next()))
    print("nobody", hex(await ada.send("nobody", "x")))
    print("no target", hex(await ada.send("", "x")))

    for qos in range(4):
        result = await ada.send("?.*", f"qos {qos}", BROADCAST, qos)
        print(result, shown(await ada.next()), "|", shown(await bob.next()))

    print("subscribe", await bob.topics(SUBSCRIBE, ["news/#", "weather/+/today"]))
    print("subscribe", await ada.topics(SUBSCRIBE, "news/local"))
    for qos in range(4):
        result = await ada.send("news/local", f"qos {qos}", PUBLISH, qos)
        print(result, shown(await bob.next()), "|", shown(await ada.next()))
    await ada.send("weather/north/tomorrow", "nobody hears this", PUBLISH)
    await ada.send("weather/north/today", "cold", PUBLISH)
    print(shown(await bob.next()))
    print("unsubscribe", await bob.topics(UNSUBSCRIBE, "news/#"))
    await ada.send("news/world", "nobody hears this", PUBLISH)
    await ada.send("weather/south/today", "warm", PUBLISH)
    print(shown(await bob.next()))

    # Many at once, without acks and with: they come in order.
    for i in range(1000):
        await ada.send("py.bob", str(i), qos=0 if i % 10 else 1)
    got = [int((await bob.next()).payload) for _ in range(1000)]
    print("in order", got == list(range(1000)))
    large = bytes(range(256)) * 4096
    result = await ada.send("py.bob", large)
    frame = await bob.next()
    print(result, len(frame.payload), hashlib.sha1(frame.payload).digest() == hashlib.sha1(large).digest())
    print("empty", await ada.send("py.bob", b""), len((await bob.next()).payload))

    print("taken", await refusal(library, path, "py.ada"))
    print("reserved", await refusal(library, path, ".broker"))
    print("no primary", await refusal(library, path, "py.eve%%1"))
    print("too long", await refusal(library, path, "x" * 1025))

    second = await connect(library, path, "py.ada%%2")
    print("taken", await refusal(library, path, "py.ada%%2"))
    print(await second.send("py.bob", "from a secondary"), shown(await bob.next()))
    print(await bob.send("py.ada%%2", "to a secondary"), shown(await second.next()))

    await bob.topics(SUBSCRIBE, ".broker/info")
    carl = await connect(library, path, "py.carl")
    frame = await bob.next()
    print(frame.sender, frame.topic, b"py.carl" in frame.payload and b"reg" in frame.payload)
    await carl.start("disconnect")
    frame = await bob.next()
    print(frame.sender, frame.topic, b"py.carl" in frame.payload and b"unreg" in frame.payload)

    # When the primary goes, the secondary is disconnected.
    await ada.start("disconnect")
    for _ in range(PATIENCE * 20):
        if not second.client.is_connected():
            break
        await asyncio.sleep(0.05)
    print("connected", second.client.is_connected())
    frame = await bob.next()
    print(frame.topic, b"py.ada" in frame.payload and b"unreg" in frame.payload)
    print("gone", hex(await bob.send("py.ada%%2", "x")), hex(await bob.send("py.ada", "x")))

    # It says nothing for longer than the node waits; the library's pings, and the node's, keep it connected.
    await asyncio.sleep(3)
    print("still there", await bob.send("py.bob", "me"), shown(await bob.next()))
    await bob.start("disconnect")


asyncio.run(main())
