"""Calls between a client of one library, one of the other kind that waits as `js`, and the broker itself: prints what
comes of each, a line each, and says `ready` when it can be called. Ends when it is called with `end`.

    python calls.py busrt|busrt_async PATH|HOST:PORT
"""

import asyncio
import sys

from peers import PATIENCE, connect


async def main():
    library, path = sys.argv[1:]
    ada = await connect(library, path, "py.ada")
    bob = await connect(library, path, "py.bob")
    ada.serve()
    bob.serve()

    print(await ada.call("py.bob", "echo", b"\x00\xffdata"))
    print(await ada.call("py.bob", "nothing"))
    print(await ada.call("py.bob", "missing"))
    print(await ada.call("nobody", "echo"))
    print(await ada.call0("py.bob", "remember", b"me"), await asyncio.wait_for(bob.notifications.get(), PATIENCE))
    print(await ada.notify("py.bob", b"news"), await asyncio.wait_for(bob.notifications.get(), PATIENCE))

    print(await ada.call(".broker", "test"))
    print(await ada.call(".broker", "missing"))
    print((await ada.call(".broker", "test", b"\x01"))[0])
    print(await ada.call(".broker", "benchmark.test", b"any bytes"))
    print(b"py.bob" in await ada.call(".broker", "client.list"))
    print(b"version" in await ada.call(".broker", "info"))
    print(b"uptime" in await ada.call(".broker", "stats"))

    print(await ada.call("js", "upper", b"letters"))
    print(await ada.call("js", "fails"))
    print(await ada.call("js", "missing"))
    print(await ada.call0("js", "upper", b"no reply"), await ada.notify("js", b"from python"))
    print("ready", flush=True)
    while (told := await asyncio.wait_for(ada.notifications.get(), PATIENCE)) != b"end":
        print("told", told)
    for peer in (ada, bob):
        await peer.start("disconnect")


asyncio.run(main())
