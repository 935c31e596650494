"""The durable plane by way of `.bus`, and publications on a durable topic: prints what comes of each step, a line each.
Its node stores what is published under `orders/`. When it says `ready`, something is to be published on `orders/eu` there.

    python bus.py busrt|busrt_async PATH|HOST:PORT
"""

import asyncio
import json
import sys

import msgpack
from peers import connect


async def main():
    library, path = sys.argv[1:]
    ada = await connect(library, path, "py.ada")
    bob = await connect(library, path, "py.bob")
    ada.serve()
    bob.serve()

    async def ask(method, **params):
        answer = await ada.call(".bus", method, msgpack.dumps(params))
        if isinstance(answer, tuple):
            code, text = answer
            return code, json.loads(text)["_tag"]
        return msgpack.loads(answer) if answer else None

    stored = await ask("publish", topic="notes", payload="one", key="k", headers={"a": "b"})
    print(stored["topic"], stored["origin"], stored["offset"])
    again = await ask("publish", topic="notes", payload="one", key="k", headers={"a": "b"})
    print("repeated", again["id"] == stored["id"])
    print(await ask("publish", topic="notes", payload="other", key="k"))
    print(await ask("publish", topic="$no", payload="x"))
    print([m["offset"] for m in (await ask("batch", messages=[{"topic": "notes", "payload": b"\x00\xff"}]))["messages"]])
    print([(m["offset"], m["payload"], m.get("headers")) for m in (await ask("fetch", topic="notes"))["messages"]])
    print((await ask("head", topic="notes"))["offset"], [h["topic"] for h in (await ask("heads"))["heads"]])
    print(await ask("delete", topic="notes", **{"from": 1, "to": 1}))

    # Published live on a durable topic: stored, acknowledged, and delivered.
    print("subscribe", await bob.topics(2, "orders/#"))
    print(await ada.send("orders/eu", "a lamp", 1), (await bob.next()).payload)
    subscription = (await ask("subscribe", filter="orders/#", **{"from": "start"}))["id"]
    read = []
    while len(read) < 1:
        read += (await ask("subscribe.next", id=subscription, wait=1000))["messages"]
    print([(m["topic"], m["offset"], m["payload"]) for m in read])
    print("ready", flush=True)
    frame = await bob.next()
    print(frame.sender, frame.topic, frame.payload)
    after = read[-1]["position"]
    while len(read) < 2:
        read += (await ask("subscribe.next", id=subscription, after=after, wait=1000))["messages"]
    print([(m["topic"], m["offset"], m["payload"]) for m in read[1:]])
    await ask("subscribe.end", id=subscription)
    print(await ask("subscribe.next", id=subscription))

    first = await ask("enqueue", queue="mails", payload="to ada")
    await ask("enqueue", queue="mails", payload="to bob")
    print((await ask("peek", queue="mails"))["item"]["payload"])
    rejected = await ask("reject", queue="mails", id=first["id"])
    print(rejected["accepted"], rejected["attempts"])
    print(await ask("ack", queue="mails", id=first["id"]), await ask("ack", queue="mails", id=first["id"]))
    print([item["payload"] for item in (await ask("items", queue="mails"))["items"]])
    print((await ada.call(".bus", "missing"))[0], (await ada.call(".bus", "publish", b"\xc1"))[0])
    for peer in (ada, bob):
        await peer.start("disconnect")


asyncio.run(main())
