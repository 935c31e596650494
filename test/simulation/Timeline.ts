/**
 * Virtual time: one thread in which everything happens, in an order that depends on nothing but itself.
 *
 * It is the scheduler and the clock of all fibers that are started on it, and while it runs it stands in for the
 * platform's timers, immediates and microtasks too. It runs in one synchronous call: what is ready now goes first, in the
 * order in which it became so; when nothing is, time goes on to the next timer at once.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import { MixedScheduler, Scheduler } from "effect/Scheduler"

/** When every simulation begins, in milliseconds since 1970. */
const beginMillis = 1_000_000_000_000

/** Tasks at one moment of virtual time: whoever runs more of them than this turns in a circle. */
const tasksAtOnceMax = 1_000_000

interface Timer {
  readonly at: number
  /** Timers of one moment go off in the order in which they were set. */
  readonly number: number
  readonly run: () => void
  isCancelled: boolean
}

const isBefore = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.number < b.number)

/** Timers, the next one first: a binary heap. */
class Timers {
  readonly #heap: Array<Timer> = []

  get next(): Timer | undefined {
    while (this.#heap[0]?.isCancelled === true) this.pop()
    return this.#heap[0]
  }

  push(timer: Timer): void {
    const heap = this.#heap
    let at = heap.push(timer) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(timer, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = timer
  }

  pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

/** What the platform's functions are while a timeline runs. */
type Platform = Pick<typeof globalThis, "queueMicrotask" | "setImmediate" | "setTimeout" | "clearTimeout">

export class Timeline {
  #now = beginMillis
  #timers = new Timers()
  #numbers = 0
  /** Ready now; tasks of a higher number of priority come after all of a lower one. */
  #tasks: Array<() => void> = []
  #later: Array<() => void> = []
  #microtasks: Array<() => void> = []
  readonly #fork: ReturnType<typeof Effect.runForkWith<never>>
  readonly #platform: Platform

  constructor() {
    const scheduler: Scheduler = {
      executionMode: "async",
      shouldYield: (fiber) => yielding.shouldYield(fiber),
      makeDispatcher: () => dispatcher,
    }
    const dispatcher = {
      scheduleTask: (task: () => void, priority: number) => {
        if (priority > 0) this.#later.push(task)
        else this.#tasks.push(task)
      },
      flush: () => this.#runReady(),
    }
    const services = Context.make(Clock.Clock, this.#clock()).pipe(
      Context.add(Scheduler, scheduler),
      Context.add(References.CurrentLoggers, new Set()),
      Context.add(References.TracerEnabled, false),
    )
    this.#fork = Effect.runForkWith(services as Context.Context<never>)
    const setTimeout = (run: () => void, millis = 0) => this.after(millis, run)
    this.#platform = {
      queueMicrotask: (task: () => void) => void this.#microtasks.push(task),
      setImmediate: ((task: () => void) => void this.#tasks.push(task)) as never,
      setTimeout: setTimeout as never,
      clearTimeout: ((timer: { readonly cancel: () => void } | undefined) => timer?.cancel()) as never,
    }
  }

  /** Milliseconds since 1970. */
  get now(): number {
    return this.#now
  }

  /** Milliseconds since the beginning. */
  get elapsed(): number {
    return this.#now - beginMillis
  }

  /** Runs something some milliseconds from now. */
  after(millis: number, run: () => void) {
    const timer: Timer = { at: this.#now + Math.max(0, millis), number: this.#numbers++, run, isCancelled: false }
    this.#timers.push(timer)
    const handle = {
      cancel: (): void => {
        timer.isCancelled = true
      },
      unref: () => handle,
    }
    return handle
  }

  /** Starts a fiber here. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return this.#fork(effect)
  }

  /** Lets time pass until something is so, but not beyond a moment (milliseconds since the beginning). */
  run(untilMillis: number, isEnough: () => boolean = () => false): void {
    const platform = pick(globalThis)
    Object.assign(globalThis, this.#platform)
    try {
      this.#runReady()
      while (!isEnough()) {
        const timer = this.#timers.next
        if (timer === undefined || timer.at > beginMillis + untilMillis) {
          this.#now = Math.max(this.#now, beginMillis + untilMillis)
          return
        }
        this.#timers.pop()
        this.#now = timer.at
        timer.run()
        this.#runReady()
      }
    } finally {
      Object.assign(globalThis, platform)
    }
  }

  #runReady(): void {
    let left = tasksAtOnceMax
    for (;;) {
      if (left-- === 0) throw new Error(`at ${this.elapsed} ms there is no end of tasks`)
      if (this.#microtasks.length > 0) {
        const microtasks = this.#microtasks
        this.#microtasks = []
        for (const task of microtasks) task()
      } else if (this.#tasks.length > 0) {
        const tasks = this.#tasks
        this.#tasks = []
        for (const task of tasks) {
          task()
          if (this.#microtasks.length > 0) this.#runMicrotasks()
        }
      } else if (this.#later.length > 0) this.#later.shift()!()
      else return
    }
  }

  #runMicrotasks(): void {
    for (let next = 0; next < this.#microtasks.length; next++) this.#microtasks[next]!()
    this.#microtasks = []
  }

  #clock(): Clock.Clock {
    const nanos = () => BigInt(Math.floor(this.#now * 1000)) * 1000n
    return {
      currentTimeMillisUnsafe: () => Math.floor(this.#now),
      currentTimeMillis: Effect.sync(() => Math.floor(this.#now)),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration) => {
        const millis = Duration.toMillis(duration)
        return millis === 0
          ? Effect.yieldNow
          : Effect.callback<void>((resume) => {
              const timer = this.after(millis, () => resume(Effect.void))
              return Effect.sync(timer.cancel)
            })
      },
    }
  }
}

const yielding = new MixedScheduler()

const pick = ({ clearTimeout, queueMicrotask, setImmediate, setTimeout }: Platform): Platform => ({
  clearTimeout,
  queueMicrotask,
  setImmediate,
  setTimeout,
})
