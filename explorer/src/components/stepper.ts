// Steps through the cells of an output: buttons for both directions, and play.

import type { ReactiveController, ReactiveControllerHost } from "lit";

import type { Index } from "../worked/layout.ts";

const PACE = 1000;

/** The cell `by` places further on; the first one follows the last. */
export function stepped(index: Index, shape: readonly number[], by: number): Index {
  const [channels, rows, columns] = shape;
  const count = channels * rows * columns;
  const place = (placeOf(index, shape) + by + count) % count;
  const rest = place % (rows * columns);
  return [Math.floor(place / (rows * columns)), Math.floor(rest / columns), rest % columns];
}

export const placeOf = ([channel, row, column]: Index, [, rows, columns]: readonly number[]): number =>
  (channel * rows + row) * columns + column;

/** The cell itself, or the last before it that the output has. */
export function within(index: Index, shape: readonly number[]): Index {
  const [a, b, c] = index.map((i, axis) => Math.min(i, shape[axis] - 1));
  return [a, b, c];
}

/** Calls `tick` again and again while it plays; stops with its element. */
export class Player implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #tick: () => void;
  #timer: number | null = null;

  constructor(host: ReactiveControllerHost, tick: () => void) {
    this.#host = host;
    this.#tick = tick;
    host.addController(this);
  }

  get playing(): boolean {
    return this.#timer !== null;
  }

  toggle(): void {
    if (this.playing) this.stop();
    else this.#timer = window.setInterval(this.#tick, PACE);
    this.#host.requestUpdate();
  }

  stop(): void {
    if (this.#timer !== null) window.clearInterval(this.#timer);
    this.#timer = null;
    this.#host.requestUpdate();
  }

  hostDisconnected(): void {
    this.stop();
  }
}
