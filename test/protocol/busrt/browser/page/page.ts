/**
 * What the test's page does, in a real browser: all that a client of the live plane can do, against a program that is
 * none. It reports what it saw to whoever served it. In a frame it is itself again, from another origin.
 */
import { Effect, Stream } from "effect"
import { Exchange, layerExchange, makeTopics, Rpc } from "millrace/browser"

const parameters = new URLSearchParams(location.search)
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** As many as come from the program at once, and go to it. */
const many = 5000

const report = (saw: object): Promise<Response> =>
  fetch("/report", { method: "POST", body: JSON.stringify({ from: location.origin, ...saw }) })

const untilShown = (document: Document, wanted: (items: ReadonlyArray<string>) => boolean) =>
  Effect.callback<ReadonlyArray<string>>((resume) => {
    const look = (): void => {
      const items = [...document.querySelectorAll("li")].map(({ textContent }) => textContent)
      if (!wanted(items)) return
      observer.disconnect()
      resume(Effect.succeed(items))
    }
    const observer = new MutationObserver(look)
    observer.observe(document.body, { childList: true, subtree: true, characterData: true })
    look()
  })

/** The example's page in a frame, as somebody would use it: typed into, and looked at. */
const useExample = Effect.gen(function* () {
  const frame = document.createElement("iframe")
  frame.src = `/example/?bus=${encodeURIComponent(parameters.get("bus")!)}`
  yield* Effect.callback<void>((resume) => {
    frame.addEventListener("load", () => resume(Effect.void))
    document.body.append(frame)
  })
  const page = frame.contentDocument!
  const state = page.querySelector("#state")!
  yield* Effect.callback<void>((resume) => {
    const observer = new MutationObserver(() => resume(Effect.void))
    observer.observe(state, { childList: true })
    if (state.textContent.startsWith("connected as ")) resume(Effect.void)
  })
  const name = state.textContent.replace("connected as ", "")
  page.querySelector("input")!.value = "buy milk"
  page.querySelector("form")!.requestSubmit()
  const items = yield* untilShown(page, (shown) => shown.length === 2)
  return { name, items }
})

/** What was stored before, and then what is: by itself, by a live publication, and by the program when it sees that. */
const followDiary = Effect.fnUntraced(function* (client: Exchange.ExchangeClient, rpc: Rpc.Rpc) {
  const topics = yield* makeTopics(rpc)
  const onLive = Effect.gen(function* () {
    yield* topics.publish("diary/page", "stored by a page", { headers: { by: "page" } })
    yield* client.publish("diary/live", "live, and stored")
  })
  return yield* topics.subscribe("diary/#", { from: "start", onLive: Effect.orDie(onLive) }).pipe(
    Stream.take(5),
    Stream.map(({ headers, offset, payload, topic }) => [topic, offset, decoder.decode(payload), { ...headers }]),
    Stream.runCollect,
  )
})

const welcome = Effect.gen(function* () {
  const exchange = yield* Exchange.Exchange
  const client = yield* exchange.connect("web.page")
  const rpc = yield* Rpc.make(client, {
    handlers: { shout: ({ params }) => Effect.sync(() => encoder.encode(decoder.decode(params).toUpperCase())) },
  })
  const received = (count: number) =>
    rpc.inbox.pipe(
      Stream.take(count),
      Stream.runCollect,
      Effect.map((all) => all.map(({ payload, sender, topic }) => [sender, topic, decoder.decode(payload)].join(" "))),
    )
  yield* client.subscribe("news/#")
  yield* client.publish("news/page", "from the page, größer")
  const own = yield* received(1)
  const doubled = decoder.decode(yield* rpc.call("app", "double", encoder.encode("21")))
  const refused = yield* Effect.match(rpc.call("app", "unheard of"), {
    onFailure: ({ _tag }) => _tag,
    onSuccess: () => "an answer",
  })
  // It calls `shout` here, and publishes what that answers.
  yield* rpc.notify("app", "call me")
  const answered = yield* received(1)
  const numbers = Array.from({ length: many }, (_, i) => `${i}`)
  yield* rpc.notify("app", `send me ${many}`)
  const flood = yield* received(many)
  yield* client.sendAll("app", numbers, { isProcessed: false })
  const diary = yield* followDiary(client, rpc)
  return {
    own,
    diary,
    doubled,
    refused,
    answered,
    isFloodInOrder: flood.every((one, i) => one === `app  ${i}`),
    example: yield* useExample,
  }
})

const origins = { ours: "127.0.0.1", another: "localhost" }

if (location.hostname === origins.ours) {
  const frame = document.createElement("iframe")
  frame.src = location.href.replace(origins.ours, origins.another)
  document.body.append(frame)
}

const failure = ({ _tag, message }: { readonly _tag: string; readonly message: string }) => ({ failed: _tag, message })

welcome.pipe(
  Effect.scoped,
  Effect.provide(layerExchange({ url: parameters.get("bus")! })),
  Effect.catch((error) => Effect.succeed(failure(error))),
  Effect.flatMap((saw) => Effect.promise(() => report(saw))),
  Effect.runFork,
)
