/**
 * The calls under way, by the time of their next message: a binary heap.
 *
 * Invariant: no call's next message is earlier than that of its parent in the heap; of two at the same time the
 * call that began first comes first, so that the order does not depend on what else is in the heap.
 */
import type { TimedMessage } from './calls.js'

export interface CallUnderWay {
  number: number
  messages: TimedMessage[]
  /** Index of the next message; always inside `messages`. */
  next: number
}

export class CallQueue {
  readonly #heap: CallUnderWay[] = []

  get size(): number {
    return this.#heap.length
  }

  /** Time of the earliest message; Infinity when there is none. */
  get nextAtUs(): number {
    const first = this.#heap[0]
    return first === undefined ? Infinity : first.messages[first.next]!.atUs
  }

  add(number: number, messages: TimedMessage[]): void {
    if (messages.length === 0) return
    const heap = this.#heap
    const call = { number, messages, next: 0 }
    let index = heap.length
    heap.push(call)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(call, heap[parent]!)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = call
  }

  /** Takes the earliest message out; the queue must not be empty. */
  takeNext(): TimedMessage {
    const heap = this.#heap
    const first = heap[0]!
    const message = first.messages[first.next]!
    first.next++
    const sinking = first.next < first.messages.length ? first : heap.pop()!
    if (heap.length > 0) this.#sink(sinking)
    return message
  }

  #sink(call: CallUnderWay): void {
    const heap = this.#heap
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, call)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = call
  }
}

function isBefore(one: CallUnderWay, other: CallUnderWay): boolean {
  const difference = one.messages[one.next]!.atUs - other.messages[other.next]!.atUs
  return difference !== 0 ? difference < 0 : one.number < other.number
}
