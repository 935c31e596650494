/**
 * An index from topics to what is registered under the filters that match them. Looking up a topic costs its depth,
 * not the number of filters. The rules of matching are those of `TopicFilter`; in a trie for the live plane, those of
 * `LiveTopic`, where a leading wildcard matches reserved topics too.
 */
import * as TopicFilter from "./TopicFilter.ts"
import { isReserved } from "./Topic.ts"

interface Node<A> {
  readonly children: Map<string, Node<A>>
  /** Registered under a filter that ends here. */
  readonly values: Set<A>
  /** Registered under a filter that ends in `#` after here. */
  readonly rest: Set<A>
}

const makeNode = <A>(): Node<A> => ({ children: new Map(), values: new Set(), rest: new Set() })

export class TopicTrie<A> {
  readonly #root: Node<A> = makeNode()
  readonly #live: boolean

  constructor(plane: "durable" | "live" = "durable") {
    this.#live = plane === "live"
  }

  /** Registers a value under a filter; a value registered twice under one filter is there once. */
  add(filter: string, value: A): void {
    let node = this.#root
    for (const part of TopicFilter.parts(filter)) {
      if (part === "#") {
        node.rest.add(value)
        return
      }
      let child = node.children.get(part)
      if (child === undefined) node.children.set(part, (child = makeNode()))
      node = child
    }
    node.values.add(value)
  }

  /** Takes a value back, and the empty nodes that it leaves. */
  remove(filter: string, value: A): void {
    const path: Array<readonly [Node<A>, string]> = []
    const parts = TopicFilter.parts(filter)
    const isOpen = parts[parts.length - 1] === "#"
    let node = this.#root
    for (const part of isOpen ? parts.slice(0, -1) : parts) {
      const child = node.children.get(part)
      if (child === undefined) return
      path.push([node, part])
      node = child
    }
    if (isOpen) node.rest.delete(value)
    else node.values.delete(value)
    for (const [parent, part] of path.toReversed()) {
      const child = parent.children.get(part)!
      if (child.children.size + child.values.size + child.rest.size > 0) return
      parent.children.delete(part)
    }
  }

  /** Whether nothing is registered, and nothing is left of what was. */
  get isEmpty(): boolean {
    return this.#root.children.size + this.#root.values.size + this.#root.rest.size === 0
  }

  /** All values whose filter matches, each once. */
  match(topic: string): Array<A> {
    const found = new Set<A>()
    const parts = topic.split("/")
    const reserved = !this.#live && isReserved(topic)
    const visit = (node: Node<A>, depth: number): void => {
      const wild = depth > 0 || !reserved
      if (depth === parts.length) {
        for (const value of node.values) found.add(value)
        return
      }
      if (wild) for (const value of node.rest) found.add(value)
      const exact = node.children.get(parts[depth]!)
      if (exact !== undefined) visit(exact, depth + 1)
      const any = wild ? node.children.get("+") : undefined
      if (any !== undefined && any !== exact) visit(any, depth + 1)
    }
    visit(this.#root, 0)
    return [...found]
  }
}
