// A board of notes in a web page: it shows those that were ever pinned and those that are pinned now, and answers a call.
import { Effect, Stream } from "effect"
import { Exchange, layerExchange, makeTopics, Rpc } from "millrace/browser"

const state = document.querySelector("#state")!
const list = document.querySelector("ul")!
const form = document.querySelector("form")!

const encoder = new TextEncoder()
const decoder = new TextDecoder()

// #region url
const url = new URLSearchParams(location.search).get("bus") ?? `ws://${location.hostname}:7000/`
// #endregion

const show = (note: string): void => {
  const item = document.createElement("li")
  item.textContent = note
  list.append(item)
}

// #region connect
const connecting = Effect.gen(function* () {
  const exchange = yield* Exchange.Exchange
  const client = yield* exchange.connect(`board.${Math.random().toString(36).slice(2)}`)
  return yield* Rpc.make(client, {
    handlers: { count: () => Effect.sync(() => encoder.encode(`${list.children.length}`)) },
  })
})
// #endregion

// #region board
const board = Effect.gen(function* () {
  const rpc = yield* connecting
  const topics = yield* makeTopics(rpc)
  state.textContent = `connected as ${rpc.name}`
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    Effect.runFork(topics.publish("notes/board", `${new FormData(form).get("note")}`))
    form.reset()
  })
  yield* topics
    .subscribe("notes/#", { from: "start" })
    .pipe(Stream.runForEach(({ payload }) => Effect.sync(() => show(decoder.decode(payload)))))
})
// #endregion

// #region run
board.pipe(
  Effect.scoped,
  Effect.provide(layerExchange({ url })),
  Effect.catch(({ message }) => Effect.sync(() => (state.textContent = message))),
  Effect.runFork,
)
// #endregion
